import { CONTRACT, type InspectAnswer, type Run } from '../shared/contracts.ts';
import type { Instance } from './instance.ts';

/** What is known of a host that nobody can ask: the disks that EC2 has attached to it. */
export const topologyOfStopped = ({ devices }: Instance): InspectAnswer => {
  const possible = { possible: false, why: STOPPED };
  return {
    contract: CONTRACT,
    bootId: '',
    uptime: 0,
    os: '',
    kernel: '',
    topologyHash: '',
    disks: devices.map(({ device, volumeId }) => ({ name: device, kind: 'ebs', volumeId })),
    filesystems: [],
    arrays: [],
    groups: [],
    apps: [],
    modes: { 'lvm-snapshot': possible, 'fs-freeze': possible, 'app-only': possible },
    faults: [],
  };
};

/**
 * Nothing writes to the disks of a stopped instance, so its set is one point in time by itself. How it was stopped, an
 * orderly shutdown or a pulled plug, nobody can tell afterwards: that is grade `crash` and no more.
 */
export const choiceForStopped: Pick<Run, 'mode' | 'why' | 'expected' | 'apps'> = {
  mode: 'crash',
  why: 'the instance is stopped: its disks are at rest, and nothing shows whether it was shut down in order',
  expected: 'crash',
  apps: [],
};

const STOPPED = 'the instance is stopped';
