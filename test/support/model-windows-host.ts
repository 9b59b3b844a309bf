import { CreateSnapshotsCommand, CreateTagsCommand, type EC2Client } from '@aws-sdk/client-ec2';
import type { Clock } from '../../lab/aws/clock.ts';
import type { Agent, AgentStep, StepOutcome } from '../../lab/ports.ts';
import type { WindowsAnswer } from '../../lambdas/shared/contracts.ts';
import { INSPECT_WINDOWS, VSS_DOCUMENTS, VSS_TAGS } from '../../lambdas/shared/names.ts';

/** VSS holds writes for so long and no longer, whoever asks. */
const HOLD_MS = 10_000;

/**
 * A Windows instance with AWS's VSS components, as far as they are documented: it takes its snapshots itself, with the
 * role of its instance, while Windows holds writes, and marks them when all has gone well. The words of its outputs are
 * made up but for what AWS documents of them.
 */
export class ModelWindowsHost implements Agent {
  version = '3.3.2746.0';
  online = true;
  facts: WindowsAnswer;
  readonly trouble: WindowsTrouble = {};
  readonly steps: AgentStep[] = [];
  /** Sets that were taken of this host's volumes, and whether writes were held at that very moment. */
  readonly witnessed: { readonly at: number; readonly volumeIds: readonly string[]; readonly held: boolean }[] = [];
  /** Writes are held now. */
  frozen = false;
  readonly #spec: ModelWindowsHostSpec;
  readonly #running = new Map<string, () => void>();
  #busy = false;

  constructor(spec: ModelWindowsHostSpec) {
    this.#spec = spec;
    this.facts = spec.facts;
  }

  /** Called when a set of this host's volumes is taken. */
  async witness(volumeIds: readonly string[]): Promise<void> {
    await this.#spec.clock.sleep(this.trouble.snapshotMs ?? 0);
    this.witnessed.push({ at: this.#spec.clock.now(), volumeIds: [...volumeIds], held: this.frozen });
  }

  async run(step: AgentStep): Promise<StepOutcome> {
    this.steps.push(step);
    const over = new AbortController();
    const killed = new Promise<StepOutcome>((resolve) => {
      this.#running.set(step.commandId, () => resolve({ ...FAILED, status: 'Cancelled', code: 137 }));
    });
    const timeout = this.#spec.clock
      .sleep(step.timeoutSeconds * 1_000, over.signal)
      .then((): StepOutcome => ({ ...FAILED, status: 'TimedOut', code: 137 }));
    const outcome = await Promise.race([this.#perform(step), killed, timeout]);
    over.abort();
    this.#running.delete(step.commandId);
    return outcome;
  }

  async cancel(commandId: string): Promise<void> {
    this.#running.get(commandId)?.();
  }

  async #perform({ document, parameters }: AgentStep): Promise<StepOutcome> {
    if (document === INSPECT_WINDOWS) {
      return { status: 'Success', code: 0, stdout: JSON.stringify(this.facts), stderr: '' };
    }
    const hang = this.trouble.hang?.();
    if (hang === 'before') await new Promise(() => {});
    const outcome = await this.#vss(document, parameters);
    if (hang === 'after') await new Promise(() => {});
    return this.trouble.failsAfterwards ? { ...outcome, ...FAILED, stdout: this.trouble.failsAfterwards } : outcome;
  }

  async #vss(document: string, parameters: Record<string, string>): Promise<StepOutcome> {
    const failed = (stdout: string): StepOutcome => ({ ...FAILED, stdout });
    if (this.facts.languageMode !== 'FullLanguage') {
      return failed('Cannot invoke method. Method invocation is supported only on core types in this language mode.');
    }
    if (document === VSS_DOCUMENTS.install && this.facts.components === '') {
      if (this.trouble.installFails) return failed('Failed to install package AwsVssComponents 2.5.1');
      this.facts = { ...this.facts, components: '2.5.1' };
    }
    if (this.facts.components === '') return failed("The term 'ec2-vss-agent.exe' is not recognized");
    const tags = tagsOf(parameters.tags ?? '');
    if (tags.some(({ Key }) => (Object.values(VSS_TAGS) as string[]).includes(Key))) {
      return failed('A reserved tag was specified.');
    }
    if (this.#busy) return failed('VSS error 0x80042316: another shadow copy operation is in progress');
    this.#busy = true;
    try {
      return await this.#take(parameters, tags);
    } catch (error) {
      return failed(`${(error as Error).name}: ${(error as Error).message}`);
    } finally {
      this.#busy = false;
      this.frozen = false;
    }
  }

  async #take(parameters: Record<string, string>, tags: readonly Tag[]): Promise<StepOutcome> {
    const { clock, ec2, instanceId } = this.#spec;
    const writer = this.trouble.writerFails?.();
    if (writer) return { ...FAILED, stdout: `A writer failed at freeze: ${writer}` };
    this.frozen = true;
    const over = new AbortController();
    const since = clock.now();
    void clock.sleep(HOLD_MS, over.signal).then(() => {
      this.frozen = false;
    });
    const { Snapshots = [] } = await ec2.send(
      new CreateSnapshotsCommand({
        Description: parameters.description ?? '',
        InstanceSpecification: {
          InstanceId: instanceId,
          ExcludeBootVolume: parameters.ExcludeBootVolume === 'True',
          ...(this.trouble.omits && { ExcludeDataVolumeIds: [...this.trouble.omits] }),
        },
        TagSpecifications: [
          {
            ResourceType: 'snapshot',
            Tags: [...tags, { Key: VSS_TAGS.config, Value: `${this.facts.components} set-of-${instanceId}` }],
          },
        ],
      }),
    );
    over.abort();
    this.frozen = false;
    // Windows has given up on holding writes: what was taken is not marked.
    if (clock.now() - since > HOLD_MS) return { ...FAILED, stdout: 'Thaw pipe connection timed out' };
    for (const { SnapshotId = '', VolumeId = '' } of Snapshots) {
      const marked = !this.trouble.unmarked?.includes(VolumeId);
      await ec2.send(
        new CreateTagsCommand({
          Resources: [SnapshotId],
          Tags: [
            { Key: VSS_TAGS.device, Value: 'xvdf' },
            ...(marked ? [{ Key: VSS_TAGS.consistent, Value: 'True' }] : []),
          ],
        }),
      );
    }
    return { status: 'Success', code: 0, stdout: Snapshots.map(({ SnapshotId }) => SnapshotId).join('\n'), stderr: '' };
  }
}

const FAILED = { status: 'Failed', code: 1, stdout: '', stderr: '' } as const;

export interface ModelWindowsHostSpec {
  readonly instanceId: string;
  readonly facts: WindowsAnswer;
  readonly clock: Clock;
  /** With the credentials of the instance. */
  readonly ec2: EC2Client;
}

export interface WindowsTrouble {
  /** What CreateSnapshots takes while VSS holds writes. */
  snapshotMs?: number;
  /** The VSS error of a writer, each time that it is asked; undefined: it is well. */
  writerFails?: () => string | undefined;
  /** Volumes whose snapshots are not marked, though all else goes well. */
  unmarked?: readonly string[];
  /** Volumes that are not taken at all. */
  omits?: readonly string[];
  installFails?: boolean;
  /** Its set is taken and marked, and then it fails with these words. */
  failsAfterwards?: string;
  /** It never ends: before it has done anything, or after. */
  hang?: () => 'before' | 'after' | undefined;
}

interface Tag {
  Key: string;
  Value: string;
}

/** `Key=a,Value=b;Key=c,Value=d`, of the characters that AWS takes. */
const tagsOf = (text: string): Tag[] =>
  text.split(';').map((each) => {
    const [, Key, Value] = /^Key=([\w() ./\\\-"'@+:={}]+),Value=([\w() ./\\\-"'@+:={}]*)$/.exec(each) ?? [];
    if (Key === undefined) throw new Error(`'${each}' is no tag`);
    return { Key, Value: Value ?? '' };
  });
