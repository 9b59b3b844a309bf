import { DrillEvidence, type PlanDrillInput, type PlannedDrill } from '../shared/drill-contracts.ts';
import { UnsupportedPlatformError } from '../shared/errors.ts';
import { evidenceOf } from '../shared/evidence.ts';
import { DOCUMENTS } from '../shared/names.ts';

export interface World {
  pin(document: string): Promise<{ version: string; hash: string }>;
}

/** What is restored, and which applications are verified on it. No effects. */
export const planDrill = async (input: PlanDrillInput, world: World): Promise<PlannedDrill> => {
  const { object, ...drill } = input;
  const { topology } = evidenceOf(DrillEvidence, input);
  if (topology.windows) {
    throw new UnsupportedPlatformError(`set ${drill.set.id} is of a Windows instance, which can't be drilled`);
  }
  const mounts = mountsOf(topology);
  return {
    ...drill,
    document: await world.pin(DOCUMENTS.verify),
    // Recovery writes.
    wish: {
      instanceId: drill.from,
      set: drill.set.id,
      access: 'rw',
      drill: drill.drill,
      ...(mounts && { mounts }),
      ...(drill.target !== undefined && { target: drill.target }),
    },
    apps: topology.apps.map(({ driver, name, dataDir, mounts: on }) => ({ driver, name, dataDir, mounts: on })),
  };
};

/**
 * Undefined: all but what lies on the root volume, as Restore has it. That is left out only where no application lies on
 * it and something else is there.
 */
const mountsOf = ({ filesystems, apps }: DrillEvidence['topology']): string[] | undefined => {
  const root = new Set(filesystems.find(({ mount }) => mount === '/')?.disks ?? []);
  const onRoot = filesystems.filter(({ disks }) => disks.some((disk) => root.has(disk))).map(({ mount }) => mount);
  const needed = onRoot.filter((mount) => apps.some((app) => app.mounts.includes(mount)));
  const others = filesystems
    .filter(
      ({ mount, uuid, layers }) =>
        !onRoot.includes(mount) && uuid !== '' && !layers.some(({ kind }) => kind === 'loop'),
    )
    .map(({ mount }) => mount);
  if (needed.length === 0 && others.length > 0) return undefined;
  return [...(needed.length > 0 ? needed : ['/']), ...others];
};
