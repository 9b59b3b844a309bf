/** What the deployed state machines say of the plan: the very values that the next run will get. */
import * as z from 'zod/mini';
import {
  FindTargetsInput,
  InspectHostInput,
  ListSetsInput,
  ReportInput,
  RunPolicy,
} from '../lambdas/shared/contracts.ts';
import { FLEET_STATES, PRUNE_STATES, STATES } from '../lambdas/shared/names.ts';
import { NotDeployedError } from './failures.ts';

/** As much of a state machine's definition as is looked at. */
export interface Definition {
  States?: Record<string, { Parameters?: Record<string, unknown> }>;
}

/** The policies that a run knows, by name. */
export const policiesIn = (backup: Definition) =>
  read(backup, STATES.inspect, z.object({ policies: z.record(z.string(), RunPolicy) })).policies;

/** The documents that a tag may choose as a hook. */
export const hookDocumentsIn = (backup: Definition): string[] =>
  read(backup, STATES.inspect, z.pick(InspectHostInput, { hookDocuments: true })).hookDocuments;

/** The bucket of the receipts. */
export const bucketIn = (backup: Definition): string =>
  read(backup, 'Store receipt', z.object({ Bucket: z.string() })).Bucket;

/** What retention goes by, and the places that have sets. */
export const retentionIn = (prune: Definition) =>
  read(prune, PRUNE_STATES.listSets, z.pick(ListSetsInput, { policies: true, home: true, destinations: true }));

/** When each policy fires. */
export const schedulesIn = (fleet: Definition) =>
  read(fleet, FLEET_STATES.report, z.pick(ReportInput, { policies: true })).policies;

/** The pace of a fleet, in turns a second. */
export const pacingIn = (fleet: Definition) =>
  read(fleet, FLEET_STATES.findTargets, z.pick(FindTargetsInput, { pacing: true })).pacing;

const read = <Schema extends z.ZodMiniType>(
  definition: Definition,
  state: string,
  schema: Schema,
): z.output<Schema> => {
  const parsed = schema.safeParse(definition.States?.[state]?.Parameters);
  if (parsed.success) return parsed.data;
  throw new NotDeployedError(
    `the deployed workflow is not of this version of freezeframe: its state ${state} has other parameters; deploy again (npx cdk deploy), or use the freezeframe of that deployment`,
  );
};
