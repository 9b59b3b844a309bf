import type {
  DeregisterImageCommandInput,
  DescribeImagesCommandInput,
  DescribeImagesCommandOutput,
  RegisterImageCommandInput,
  RegisterImageCommandOutput,
} from '@aws-sdk/client-ec2';
import { filtered, type Tags } from './ec2-filters.ts';
import { refuseDryRun } from './ec2-instance.ts';
import { specified, tagged, tagList } from './ec2-tags.ts';
import { AwsError } from './errors.ts';
import type { Operations, World } from './world.ts';

/** Images that instances boot from: those that are made known to the lab, and those that are made of a snapshot. */
export class Images {
  readonly all = new Map<string, Image>();
  readonly operations: Operations;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.operations = {
      DescribeImages: (input) => this.#describe(input),
      RegisterImage: (input) => this.#register(input),
      DeregisterImage: (input) => this.#deregister(input),
    };
  }

  /** Somebody else's, as AWS's own are. */
  set(id: string, { rootGiB, architecture = 'x86_64' }: { rootGiB: number; architecture?: string }): void {
    const image = { id, name: id, owner: 'amazon', architecture, rootDevice: '/dev/xvda', rootGiB };
    this.all.set(id, { ...image, rootImage: undefined, snapshotId: undefined, tags: new Map(), visibleAt: 0 });
  }

  find(id: string | undefined): Image {
    const image = this.all.get(id ?? '');
    if (!image) throw new AwsError('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`);
    return image;
  }

  #register(input: RegisterImageCommandInput): Partial<RegisterImageCommandOutput> {
    const { Name: name = '', RootDeviceName: rootDevice = '' } = input;
    const root = input.BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === rootDevice)?.Ebs;
    if (!root?.SnapshotId) throw new AwsError('InvalidParameterCombination', 'The root device has no snapshot');
    const snapshot = this.#world.ec2.snapshots.find(root.SnapshotId);
    if ([...this.all.values()].some((image) => image.name === name)) {
      throw new AwsError('InvalidAMIName.Duplicate', `AMI name ${name} is already in use by another AMI`);
    }
    const tags = tagged(new Map(), specified(input.TagSpecifications, 'image'));
    refuseDryRun(input.DryRun);
    const id = this.#world.id('ami');
    this.all.set(id, {
      id,
      name,
      owner: this.#world.account,
      // EC2's own default is of another time.
      architecture: input.Architecture ?? 'i386',
      rootDevice,
      rootGiB: snapshot.sizeGiB,
      rootImage: snapshot.image,
      snapshotId: snapshot.id,
      tags,
      visibleAt: this.#world.clock.now() + this.#world.latency.describeMs,
    });
    snapshot.inUseBy = id;
    return { ImageId: id };
  }

  #deregister(input: DeregisterImageCommandInput): object {
    const image = this.find(input.ImageId);
    refuseDryRun(input.DryRun);
    this.all.delete(image.id);
    if (image.snapshotId) this.#world.ec2.snapshots.find(image.snapshotId).inUseBy = undefined;
    return { Return: true };
  }

  /** Those of ours, and what is known of others by the snapshots that they hold. */
  #describe(input: DescribeImagesCommandInput): Partial<DescribeImagesCommandOutput> {
    const now = this.#world.clock.now();
    const { snapshots } = this.#world.ec2;
    const known = [...this.all.values()].filter(
      ({ visibleAt, owner }) => visibleAt <= now && (!input.Owners?.includes('self') || owner === this.#world.account),
    );
    const held = [...snapshots.all.values()].flatMap(({ id, inUseBy, deleted }): Image[] =>
      inUseBy && !deleted && !this.all.has(inUseBy)
        ? [
            {
              id: inUseBy,
              name: inUseBy,
              owner: this.#world.account,
              architecture: 'x86_64',
              rootDevice: '/dev/xvda',
              rootGiB: 8,
              rootImage: undefined,
              snapshotId: id,
              tags: new Map(),
              visibleAt: 0,
            },
          ]
        : [],
    );
    const found = filtered([...known, ...held], input.Filters, {
      'image-id': ({ id }) => [id],
      name: ({ name }) => [name],
      'block-device-mapping.snapshot-id': ({ snapshotId }) => (snapshotId ? [snapshotId] : []),
    });
    return {
      Images: found.map(({ id, name, owner, architecture, rootDevice, snapshotId, tags }) => ({
        ImageId: id,
        Name: name,
        OwnerId: owner,
        State: 'available' as const,
        Architecture: architecture as 'x86_64',
        RootDeviceName: rootDevice,
        BlockDeviceMappings: snapshotId ? [{ DeviceName: rootDevice, Ebs: { SnapshotId: snapshotId } }] : [],
        Tags: tagList(tags),
      })),
    };
  }
}

interface Image {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly architecture: string;
  readonly rootDevice: string;
  readonly rootGiB: number;
  /** What the root volume holds; undefined where it is whatever the lab's machines boot from. */
  readonly rootImage: string | undefined;
  readonly snapshotId: string | undefined;
  tags: Tags;
  readonly visibleAt: number;
}
