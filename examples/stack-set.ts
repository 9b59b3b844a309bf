/**
 * One template for a StackSet: it bears no account and no Region, and takes its Lambda code from a bucket of your own in
 * each Region, which the accounts of your organisation may read. docs/multi-account.md has the commands.
 */
import { App, DefaultStackSynthesizer, type IStackSynthesizer, Stack } from 'aws-cdk-lib';
import { Freezeframe, parsePlan } from 'freezeframe';

const app = new App();
const stack = new Stack(app, 'Freezeframe', {
  synthesizer: new DefaultStackSynthesizer({
    // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation fills it in
    fileAssetsBucketName: 'example-org-freezeframe-${AWS::Region}',
    generateBootstrapVersionRule: false,
  }) as IStackSynthesizer,
});

new Freezeframe(stack, 'Freezeframe', {
  plan: parsePlan({ policies: { nightly: { schedule: 'cron(0 3 * * ? *)', retain: { daily: 14 } } } }),
});

app.synth();
