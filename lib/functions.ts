import { join } from 'node:path';

/** The Lambda functions of the workflows, one folder in `lambdas/` each, and the seconds that each may take. */
export const FUNCTIONS = {
  'inspect-host': { timeoutSeconds: 120 },
  'create-snapshots': { timeoutSeconds: 60 },
  // The longest lease is 300 s; the function itself gives up when its run's lease is too short to go on.
  freeze: { timeoutSeconds: 345 },
  thaw: { timeoutSeconds: 90 },
  // Waits before the second try.
  'snapshot-with-vss': { timeoutSeconds: 60 },
  'check-vss': { timeoutSeconds: 60 },
  grade: { timeoutSeconds: 60 },
  // A set of 128 at 5 a second and account.
  lock: { timeoutSeconds: 120 },
  'check-snapshots': { timeoutSeconds: 60 },
  discard: { timeoutSeconds: 120 },
  'find-set': { timeoutSeconds: 60 },
  'plan-restore': { timeoutSeconds: 60 },
  // Waits for the boot.
  'launch-instance': { timeoutSeconds: 780 },
  'terminate-instance': { timeoutSeconds: 660 },
  'hold-set': { timeoutSeconds: 60 },
  'create-volumes': { timeoutSeconds: 360 },
  'attach-volumes': { timeoutSeconds: 240 },
  // Waits for both: what leaves, and what comes.
  'swap-volumes': { timeoutSeconds: 600 },
  // Waits for the host to replay logs and to merge LVM snapshots; no function may take longer.
  'restore-host': { timeoutSeconds: 900 },
  'remove-volumes': { timeoutSeconds: 240 },
  'choose-set': { timeoutSeconds: 120 },
  'plan-drill': { timeoutSeconds: 60 },
  'launch-scratch': { timeoutSeconds: 60 },
  'wait-for-agent': { timeoutSeconds: 660 },
  verify: { timeoutSeconds: 60 },
  'check-verify': { timeoutSeconds: 60 },
  judge: { timeoutSeconds: 60 },
  'tear-down': { timeoutSeconds: 540 },
  'sweep-drills': { timeoutSeconds: 900 },
  // 100,000 snapshots are 100 pages.
  'list-sets': { timeoutSeconds: 300 },
  decide: { timeoutSeconds: 300 },
  // Begins no set after 200 s; one of 128 members takes half a minute, more when others delete as well.
  delete: { timeoutSeconds: 600 },
  // Twenty-five snapshots at most, after another look at their instances.
  archive: { timeoutSeconds: 120 },
  // Up to 100,000 snapshots on either side, at a thousand a page.
  'plan-copies': { timeoutSeconds: 600, memoryMB: 1_024 },
  // Begins nothing after 200 s; a set of 128 members takes half a minute to lock or to remove.
  'copy-snapshots': { timeoutSeconds: 300 },
  'check-thaw': { timeoutSeconds: 60 },
  // Reads the history of every run that may have left a host frozen: seconds each when Step Functions throttles.
  sweep: { timeoutSeconds: 240 },
  // 10,000 instances: ten pages of EC2 and two hundred of SSM.
  'find-targets': { timeoutSeconds: 300 },
  report: { timeoutSeconds: 120 },
  // As many snapshots as a Region may have, at a thousand a page.
  'check-rpo': { timeoutSeconds: 600 },
} as const satisfies Record<string, { timeoutSeconds: number; memoryMB?: number }>;
export type FunctionName = keyof typeof FUNCTIONS;

/** Where `npm run build` puts the bundles, one folder for each function. */
export const BUNDLES = join(import.meta.dirname, '../dist');
