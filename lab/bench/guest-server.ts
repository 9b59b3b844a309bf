import { USER_TAGS } from '../../lambdas/shared/names.ts';
import { Account, type Instance } from '../account.ts';
import type { Machine } from '../machine.ts';
import * as workload from '../workload.ts';
import { Rig, type Server } from './rig.ts';

export const TOPOLOGY = 'raid0-lvm-xfs';
/** An emulated processor takes seconds for what a real one does in fractions. */
const LEASE_SECONDS = 120;

/** A guest of the lab with MariaDB and files under load on four disks. */
export class GuestServer implements Server {
  readonly id: string;
  readonly data: readonly string[];
  readonly machine: Machine;

  private constructor({ id, data, machine }: Instance) {
    this.id = id;
    this.data = data;
    this.machine = machine;
  }

  static async rig(progress: (text: string) => void): Promise<Rig<GuestServer>> {
    const account = await Account.open({
      policy: { grade: 'application', onDowngrade: 'keep', leaseSeconds: LEASE_SECONDS },
      progress,
      timeScale: 0.1,
    });
    try {
      const tags = { [USER_TAGS.policy]: 'lab' };
      const instance = await account.launch({ tags, dataVolumes: workload.TOPOLOGIES[TOPOLOGY] });
      await workload.provision(instance.machine, TOPOLOGY, instance.data);
      await workload.startWriters(instance.machine, TOPOLOGY);
      return new Rig(account, new GuestServer(instance));
    } catch (error) {
      await account.close();
      throw error;
    }
  }

  now(): Promise<number> {
    return workload.guestMonotonicMs(this.machine);
  }

  acknowledgements(): Promise<workload.Acknowledgement[]> {
    return workload.acknowledgements(this.machine, 'mariadb');
  }

  async exec(script: string): Promise<string> {
    return (await this.machine.exec(script, { timeoutMs: 120_000 })).stdout.trim();
  }
}
