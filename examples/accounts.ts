/** The same plan in several accounts and Regions: `npx cdk deploy --all`, or one stack of them by its name. */
import { App, Stack } from 'aws-cdk-lib';
import { Freezeframe, parsePlan } from 'freezeframe';

const PLACES = [
  { account: '111122223333', region: 'eu-central-1' },
  { account: '111122223333', region: 'eu-west-1' },
  { account: '444455556666', region: 'eu-central-1' },
];

const plan = parsePlan({
  policies: {
    nightly: { schedule: 'cron(0 3 * * ? *)', retain: { daily: 14 }, lock: { mode: 'governance', days: 7 } },
  },
});

const app = new App();
for (const env of PLACES) {
  new Freezeframe(new Stack(app, `Freezeframe-${env.account}-${env.region}`, { env }), 'Freezeframe', { plan });
}

app.synth();
