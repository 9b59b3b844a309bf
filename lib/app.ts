/** The CDK app: one stack, made from the plan in cdk.json. */
import { App, type AppProps, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { Freezeframe } from './freezeframe.ts';
import { PlanError, parsePlan } from './plan.ts';

export const STACK = 'Freezeframe';

export function freezeframeApp(props?: AppProps): App {
  const app = new App(props);
  const stack = new Stack(app, STACK, { description: 'Freezeframe: proven-consistent snapshot sets of disk arrays' });
  new Freezeframe(stack, 'Freezeframe', { plan: parsePlan(app.node.tryGetContext('freezeframe')) });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app), new ServerlessChecks(app));
  return app;
}

if (import.meta.main) {
  try {
    freezeframeApp().synth();
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    // The user's to mend, so without a stack trace. At once, since the App would synthesise what there is on its way out.
    console.error(error.message);
    process.exit(1);
  }
}
