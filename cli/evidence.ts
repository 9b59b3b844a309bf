/** What is stored beside a set, see *Grade*: as much of it as is shown. */
import * as z from 'zod/mini';
import { CaughtError, Grade, InspectAnswer, Receipt, RunPolicy } from '../lambdas/shared/contracts.ts';

const At = z.nullable(z.number());

export const Evidence = z.object({
  run: z.string(),
  instance: z.string(),
  policy: z.extend(RunPolicy, { name: z.string() }),
  mode: z.string(),
  why: z.string(),
  grade: z.nullable(Grade),
  reasons: z.array(z.string()),
  topology: z.pick(InspectAnswer, {
    os: true,
    kernel: true,
    filesystems: true,
    arrays: true,
    groups: true,
    apps: true,
  }),
  volumes: z.array(z.object({ volumeId: z.string(), device: z.string() })),
  receipt: z.nullable(Receipt),
  snapshots: z.array(z.object({ snapshotId: z.string(), volumeId: z.string() })),
  times: z.object({
    inspected: z.number(),
    freezeSent: At,
    freezeAnswered: At,
    snapshotsRequested: At,
    snapshotsStarted: z.nullable(z.string()),
    snapshotsAnswered: At,
    thawSent: At,
  }),
  windowMs: At,
  error: z.nullable(CaughtError),
});
export type Evidence = z.infer<typeof Evidence>;
