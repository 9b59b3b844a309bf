import type { SweepDrillsInput } from '../shared/drill-contracts.ts';
import { TearDownError } from '../shared/errors.ts';

export interface World {
  /** Names of the drills that have left instances or volumes. */
  drillsWithThings(): Promise<string[]>;
  status(executionArn: string): Promise<string | undefined>;
  tearDown(drill: string): Promise<void>;
}

/** Takes away what drills have left that were stopped, timed out, or could not do it themselves. */
export const sweepDrills = async ({ executions }: SweepDrillsInput, world: World): Promise<{ swept: string[] }> => {
  const swept: string[] = [];
  const troubles: string[] = [];
  for (const drill of await world.drillsWithThings()) {
    if ((await world.status(`${executions}${drill}`)) === 'RUNNING') continue;
    try {
      await world.tearDown(drill);
      swept.push(drill);
    } catch (error) {
      // One that can't be taken away must not keep the others.
      troubles.push((error as Error).message);
    }
  }
  if (troubles.length > 0) throw new TearDownError(troubles.join('; '));
  return { swept };
};
