import type { CreateSnapshotsRequest } from '@aws-sdk/client-ec2';
import type { CreateSnapshotsInput } from '../shared/contracts.ts';
import { tagsAtCreation } from '../shared/tags-at-creation.ts';

/**
 * The one request of a run; Rehearse sends the very same as a DryRun. Tags of the volumes are not copied: one of the
 * user's that bears a name of ours would clash, and where that shows is inside the frozen window.
 */
export const snapshotRequest = ({ act, run }: CreateSnapshotsInput): CreateSnapshotsRequest => {
  const mode = act === 'unfrozen' ? 'crash' : run.mode;
  const tags = tagsAtCreation(run, mode);
  return {
    Description: `Freezeframe ${run.policy.name} of ${run.instanceId}, run ${run.run}, ${mode}`,
    InstanceSpecification: {
      InstanceId: run.instanceId,
      ...(run.excludeBoot ? { ExcludeBootVolume: true } : {}),
      ...(run.excluded.length ? { ExcludeDataVolumeIds: run.excluded } : {}),
    },
    TagSpecifications: [
      { ResourceType: 'snapshot', Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
    ],
  };
};
