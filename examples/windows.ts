/** A Windows server beside its backups: VSS takes the set with the role of the instance, so that role needs a policy. */
import { App, Stack } from 'aws-cdk-lib';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Freezeframe, parsePlan } from 'freezeframe';

const app = new App();
const stack = new Stack(app, 'Backups');

const { vssInstancePolicy } = new Freezeframe(stack, 'Freezeframe', {
  plan: parsePlan({
    policies: { hourly: { schedule: 'rate(1 hour)', grade: 'application', retain: { last: 24, daily: 14 } } },
  }),
});

new Role(stack, 'SqlServer', {
  assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
  managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore'), vssInstancePolicy.policy],
});

app.synth();
