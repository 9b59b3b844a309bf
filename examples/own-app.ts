/** Freezeframe in a CDK app that you have already: one policy, every night. */
import { App, Stack } from 'aws-cdk-lib';
import { Freezeframe, parsePlan } from 'freezeframe';

const app = new App();
const stack = new Stack(app, 'Backups');

new Freezeframe(stack, 'Freezeframe', {
  plan: parsePlan({
    policies: {
      nightly: {
        schedule: 'cron(0 3 * * ? *)',
        timeZone: 'Europe/Berlin',
        grade: 'application',
        retain: { daily: 7, weekly: 4, monthly: 12 },
      },
    },
    notify: 'ops@example.com',
  }),
});

app.synth();
