/** What crosses a border in a drill: the answer of its document, and what each of its states hands to the next. */
import * as z from 'zod/mini';
import { App, CaughtError, Grade, Head, InspectAnswer, InstanceId, PinnedDocument, RunId } from './contracts.ts';
import { EvidenceRead } from './evidence.ts';
import { Restore, RestoreWish } from './restore-contracts.ts';

/** One thing that Verify has looked at. */
const Check = z.object({
  kind: z.enum(['filesystem', 'application', 'own']),
  /** Mount point on the original; application with its data directory; the user's check. */
  name: z.string(),
  /** `unchecked`: nothing is known, and `said` tells why. */
  verdict: z.enum(['ok', 'damaged', 'unchecked']),
  said: z.string(),
  seconds: z.number(),
});
export type Check = z.infer<typeof Check>;

/** Answer of Verify. */
export const VerifyAnswer = z.object({ ...Head, restore: z.string(), checks: z.array(Check) });
export type VerifyAnswer = z.infer<typeof VerifyAnswer>;

/** What the plan says of the machine that a policy's sets are restored on. */
export const Scratch = z.object({
  subnetId: z.string(),
  securityGroupId: z.string(),
  imageId: z.string(),
  instanceType: z.string(),
  instanceProfileArn: z.string(),
});
export type Scratch = z.infer<typeof Scratch>;

const Minutes = z.number().check(z.int(), z.gte(5), z.lte(720));

/** The part of a policy that a drill needs. */
const DrillPolicy = z.object({
  grade: Grade,
  verifyMinutes: Minutes,
  /** Its schedule drills copies of other deployments' sets as well. */
  copies: z._default(z.boolean(), false),
  /** Only where the plan says where to drill. */
  scratch: z.optional(Scratch),
});
export type DrillPolicy = z.infer<typeof DrillPolicy>;

/** What a schedule asks for: the policy. What a person asks for: the instance, and more if need be. */
export const DrillWish = z.union([
  z.strictObject({ policy: z.string() }),
  // `target`: a running instance of the user's to restore to, instead of one of the drill's own.
  z.extend(z.pick(RestoreWish, { instanceId: true, set: true, before: true, target: true }), {
    /** The least grade that will do. Default: that of the policy. */
    grade: z.optional(Grade),
  }),
]);
export type DrillWish = z.infer<typeof DrillWish>;

/** Input of *Choose set*: the execution's input and name, and the policies of the plan by name. */
export const ChooseSetInput = z.object({
  input: DrillWish,
  drill: RunId,
  policies: z.record(z.string(), DrillPolicy),
});
export type ChooseSetInput = z.infer<typeof ChooseSetInput>;

/** Output of *Choose set*, carried to the end. */
export const Drill = z.object({
  drill: RunId,
  policy: z.string(),
  /** Whose set it is. */
  from: InstanceId,
  set: Restore.shape.set,
  /** Of the object that holds the set's evidence. */
  key: z.string(),
  verifyMinutes: Minutes,
  /** Undefined: on an instance of the user's, `target`. */
  scratch: z.optional(Scratch),
  target: z.optional(InstanceId),
});
export type Drill = z.infer<typeof Drill>;

/** The part of a set's evidence that a drill needs. */
export const DrillEvidence = z.object({
  run: RunId,
  instance: InstanceId,
  topology: z.pick(InspectAnswer, { filesystems: true, apps: true, windows: true }),
});
export type DrillEvidence = z.infer<typeof DrillEvidence>;

/** Input of *Plan drill*. */
export const PlanDrillInput = z.extend(Drill, EvidenceRead);
export type PlanDrillInput = z.infer<typeof PlanDrillInput>;

const Wish = z.record(z.string(), z.unknown());

/** Output of *Plan drill*. */
export const PlannedDrill = z.extend(Drill, {
  document: PinnedDocument,
  /** Input of the execution of Restore; without `target` where the scratch instance is still to be launched. */
  wish: Wish,
  apps: z.array(z.pick(App, { driver: true, name: true, dataDir: true, mounts: true })),
});
export type PlannedDrill = z.infer<typeof PlannedDrill>;

/** Output of *Launch scratch*. */
const Launched = z.object({ instanceId: InstanceId, at: z.number() });
export type Launched = z.infer<typeof Launched>;

/** Input of *Wait for agent*. */
export const WaitForAgentInput = z.extend(PlannedDrill, { launched: Launched });
export type WaitForAgentInput = z.infer<typeof WaitForAgentInput>;

/** Output of *Wait for agent*. `wish`: with the scratch instance as its target. */
const Ready = z.object({ at: z.number(), wish: Wish });
export type Ready = z.infer<typeof Ready>;

/** What the states know of the execution of Restore. `output`: its own, which *Release host* wants as it is. */
const Restored = z.object({
  startedAt: z.number(),
  stoppedAt: z.number(),
  output: z.object({ restore: RunId, under: z.string(), instanceId: InstanceId }),
});

/** Input of *Verify*. */
export const VerifyInput = z.extend(PlannedDrill, { restored: Restored });
export type VerifyInput = z.infer<typeof VerifyInput>;

/** Output of *Verify* and, with what became of it, of *Check verify*. */
export const Verification = z.object({
  commandId: z.string(),
  sentAt: z.number(),
  done: z.boolean(),
  waitSeconds: z.number(),
  endedAt: z.nullable(z.number()),
  checks: z.array(Check),
});
export type Verification = z.infer<typeof Verification>;

/** Input of *Check verify*. */
export const CheckVerifyInput = z.extend(VerifyInput, { verification: Verification });
export type CheckVerifyInput = z.infer<typeof CheckVerifyInput>;

/** Input of *Judge*: everything the drill knows. */
export const JudgeInput = z.extend(Drill, {
  launched: z.optional(Launched),
  ready: z.optional(Ready),
  restored: z.optional(Restored),
  verification: z.optional(Verification),
  /** First error: of the restore, or of what came after it. */
  error: z.optional(CaughtError),
});
export type JudgeInput = z.infer<typeof JudgeInput>;

/** What a drill has shown. `unverified`: nothing, and `error` tells why. */
export const Judged = z.object({
  verdict: z.enum(['verified', 'damaged', 'unverified']),
  /** From the launch of the scratch instance until its agent was there; of the restore; of the verification. */
  seconds: z.object({
    launch: z.nullable(z.number()),
    restore: z.nullable(z.number()),
    verify: z.nullable(z.number()),
  }),
  checks: z.array(Check),
  /** There exactly when the drill must end red. */
  error: z.optional(CaughtError),
});
export type Judged = z.infer<typeof Judged>;

/** Input of *Tear down*. */
export const TearDownInput = z.object({ drill: RunId });

/** Input of the sweep: the ARN that the executions of Drill begin with. */
export const SweepDrillsInput = z.object({ executions: z.string() });
export type SweepDrillsInput = z.infer<typeof SweepDrillsInput>;
