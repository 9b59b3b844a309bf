/** EC2: instances that a restore launches, and the images that they boot from. */
import {
  DeregisterImageCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  type EC2Client,
  type Filter,
  type LaunchTemplateSpecification,
  RegisterImageCommand,
  type RegisterImageRequest,
  RunInstancesCommand,
  type RunInstancesRequest,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { ask } from './aws-errors.ts';
import { RESTORE_TAGS } from './names.ts';

/** Architecture and boot mode of a template's image; undefined where it names none that is there. */
export const imageOfTemplate = (client: EC2Client) => async (template: LaunchTemplateSpecification) => {
  const { LaunchTemplateId, LaunchTemplateName, Version = '$Default' } = template;
  const { LaunchTemplateVersions: [found] = [] } = await ask('ec2:DescribeLaunchTemplateVersions', () =>
    client.send(
      new DescribeLaunchTemplateVersionsCommand({
        ...(LaunchTemplateId ? { LaunchTemplateId } : { LaunchTemplateName }),
        Versions: [Version],
        // Where the template names a parameter that holds the image's id
        ResolveAlias: true,
      }),
    ),
  );
  const imageId = found?.LaunchTemplateData?.ImageId;
  if (!imageId) return undefined;
  const [image] = await describeImages(client, [{ Name: 'image-id', Values: [imageId] }]);
  return image && { architecture: image.Architecture ?? '', bootMode: image.BootMode ?? null };
};

export const imagesNamed = (client: EC2Client) => async (name: string) =>
  (await describeImages(client, [{ Name: 'name', Values: [name] }], ['self'])).map(({ ImageId = '', State = '' }) => ({
    imageId: ImageId,
    state: State as string,
  }));

export const imagesOfRestore = (client: EC2Client) => async (restore: string) =>
  (await describeImages(client, [ofRestore(restore)], ['self'])).map(({ ImageId = '' }) => ({ imageId: ImageId }));

const describeImages = async (client: EC2Client, Filters: Filter[], Owners?: string[]) => {
  const { Images = [] } = await ask('ec2:DescribeImages', () =>
    client.send(new DescribeImagesCommand({ Filters, ...(Owners && { Owners }) })),
  );
  return Images;
};

export const registerImage = (client: EC2Client) => async (request: RegisterImageRequest) => {
  const { ImageId = '' } = await ask('ec2:RegisterImage', () => client.send(new RegisterImageCommand(request)));
  return ImageId;
};

export const deregisterImage = (client: EC2Client) => async (imageId: string) => {
  await ask('ec2:DeregisterImage', () => client.send(new DeregisterImageCommand({ ImageId: imageId })));
};

export const runInstance = (client: EC2Client) => async (request: RunInstancesRequest) => {
  const { Instances: [instance] = [] } = await ask('ec2:RunInstances', () =>
    client.send(new RunInstancesCommand(request)),
  );
  return instance?.InstanceId ?? '';
};

export const terminate = (client: EC2Client) => async (instanceId: string) => {
  await ask('ec2:TerminateInstances', () => client.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] })));
};

export const instancesOfRestore = (client: EC2Client) => async (restore: string) => {
  const { Reservations = [] } = await ask('ec2:DescribeInstances', () =>
    client.send(new DescribeInstancesCommand({ Filters: [ofRestore(restore)] })),
  );
  return Reservations.flatMap(({ Instances = [] }) => Instances).map(({ InstanceId = '', State }) => ({
    instanceId: InstanceId,
    state: State?.Name as string,
  }));
};

const ofRestore = (restore: string): Filter => ({ Name: `tag:${RESTORE_TAGS.restore}`, Values: [restore] });
