import { createHash } from 'node:crypto';
import type {
  BlockDeviceMapping,
  LaunchTemplateSpecification,
  RegisterImageRequest,
  RunInstancesRequest,
} from '@aws-sdk/client-ec2';
import { tagList } from '../shared/ec2.ts';
import { RESTORE_TAGS } from '../shared/names.ts';
import type { Restore } from '../shared/restore-contracts.ts';
import { performanceOf, typeOf } from '../shared/volume-performance.ts';

/** What a launch template says of its image, which the set's own must be like. */
export interface TemplateImage {
  architecture: string;
  bootMode: string | null;
}

/** How EC2 names the image of a restore. */
export const imageName = (restore: string): string => `freezeframe-${restore}`;

export const templateOf = ({ template, version }: NonNullable<Restore['launch']>): LaunchTemplateSpecification => ({
  ...(template.startsWith('lt-') ? { LaunchTemplateId: template } : { LaunchTemplateName: template }),
  Version: version,
});

/** Tags of all that the launch makes, in the very request. */
const tagsOf = ({ restore, set }: Restore) => tagList({ [RESTORE_TAGS.restore]: restore, [RESTORE_TAGS.set]: set.id });

/** An image that boots from the set's root volume. Data volumes are a matter of the launch. */
export const imageRequest = (restore: Restore, rootDevice: string, like: TemplateImage): RegisterImageRequest => {
  const root = restore.volumes.find(({ device }) => device === rootDevice);
  return {
    Name: imageName(restore.restore),
    Description: `Freezeframe: root volume of set ${restore.set.id}`,
    Architecture: like.architecture as NonNullable<RegisterImageRequest['Architecture']>,
    ...(like.bootMode ? { BootMode: like.bootMode as NonNullable<RegisterImageRequest['BootMode']> } : {}),
    VirtualizationType: 'hvm',
    EnaSupport: true,
    RootDeviceName: rootDevice,
    BlockDeviceMappings: [{ DeviceName: rootDevice, Ebs: { SnapshotId: root?.snapshotId ?? '' } }],
    TagSpecifications: [{ ResourceType: 'image', Tags: tagsOf(restore) }],
  };
};

/** The token makes the same request twice one instance. `imageId`: instead of the template's. */
export const launchRequest = (restore: Restore, imageId: string | undefined): RunInstancesRequest => {
  const launch = restore.launch as NonNullable<Restore['launch']>;
  return {
    MinCount: 1,
    MaxCount: 1,
    LaunchTemplate: templateOf(launch),
    ...(launch.subnetId ? { SubnetId: launch.subnetId } : {}),
    ...(imageId
      ? { ImageId: imageId, BlockDeviceMappings: restore.volumes.map((member) => mapping(restore, member)) }
      : {}),
    ClientToken: createHash('sha256').update(`launch ${restore.restore}`).digest('hex'),
    // A volume that bears the restore is one of its set: what the instance boots from by itself is not.
    TagSpecifications: (imageId ? (['instance', 'volume'] as const) : (['instance'] as const)).map((ResourceType) => ({
      ResourceType,
      Tags: tagsOf(restore),
    })),
  };
};

/** Its data volumes are there when it boots, so that its own fstab finds them. They outlive the instance, the root does not. */
const mapping = (
  { launch, initializationRate }: Restore,
  { device, snapshotId, spec }: Restore['volumes'][number],
): BlockDeviceMapping => ({
  DeviceName: device,
  Ebs: {
    SnapshotId: snapshotId,
    VolumeType: typeOf(spec),
    ...performanceOf(spec),
    ...(spec?.encrypted && spec.kmsKeyId ? { Encrypted: true, KmsKeyId: spec.kmsKeyId } : {}),
    ...(initializationRate ? { VolumeInitializationRate: initializationRate } : {}),
    DeleteOnTermination: device === launch?.rootDevice,
  },
});
