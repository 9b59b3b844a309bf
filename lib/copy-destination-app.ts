/** The CDK app of an account that gets copies: one stack, deployed there with `--parameters HomeAccount=…`. */
import { App, type AppProps, CfnParameter, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { CopyDestination } from './copy-destination.ts';

export const COPY_DESTINATION_STACK = 'FreezeframeCopyDestination';

export function copyDestinationApp(props?: AppProps): App {
  const app = new App(props);
  const stack = new Stack(app, COPY_DESTINATION_STACK, { description: 'Freezeframe: takes copies of another account' });
  const homeAccount = new CfnParameter(stack, 'HomeAccount', {
    description: 'The account whose sets are copied to this one',
    allowedPattern: '^[0-9]{12}$',
    constraintDescription: 'must be an account id of 12 digits',
  });
  new CopyDestination(stack, 'CopyDestination', { homeAccount: homeAccount.valueAsString });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

if (import.meta.main) copyDestinationApp().synth();
