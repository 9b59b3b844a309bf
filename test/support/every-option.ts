/** A plan that uses every key that there is: what a deployment may make of any plan, it makes of this one. */
export const EVERY_OPTION = {
  policies: {
    nightly: {
      schedule: 'cron(0 3 * * ? *)',
      timeZone: 'Europe/Berlin',
      grade: 'application',
      onDowngrade: 'keep',
      freeze: { leaseSeconds: 30 },
      windowMinutes: 240,
      rpoHours: 30,
      retain: { last: 3, daily: 7, weekly: 4, monthly: 12, yearly: 2, days: 2, finalDays: 30 },
      lock: { mode: 'governance', days: 7 },
      copyTo: [
        { region: 'eu-west-1', completionMinutes: 60 },
        {
          region: 'eu-north-1',
          account: '210987654321',
          kmsKeyArn: 'arn:aws:kms:eu-north-1:210987654321:key/01234567-89ab-cdef-0123-456789abcdef',
        },
      ],
    },
    drilled: {
      schedule: 'rate(1 day)',
      retain: { last: 7 },
      drill: {
        schedule: 'cron(0 12 ? * SUN *)',
        vpcId: 'vpc-0123456789abcdef0',
        subnetId: 'subnet-0123456789abcdef0',
        imageId: 'ami-0fedcba9876543210',
        instanceType: 'm7i.large',
        verifyMinutes: 120,
        copies: true,
      },
    },
    hourly: { schedule: 'rate(1 hour)', grade: 'filesystem', onDowngrade: 'discard', retain: { last: 24 } },
    kept: {
      schedule: 'rate(7 days)',
      retain: { yearly: 10 },
      archive: { afterDays: 30 },
      lock: { mode: 'compliance', days: 365 },
    },
  },
  pacing: { snapshotsPerSecond: 4, burst: 20 },
  restore: { roles: ['arn:aws:iam::111122223333:role/app'] },
  hookDocuments: ['Shop-Quiet', 'Mail-Quiet'],
  notify: 'ops@example.com',
};
