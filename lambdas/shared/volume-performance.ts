import type { CreateVolumeRequest, VolumeType } from '@aws-sdk/client-ec2';
import type { VolumeSpec } from './contracts.ts';

/** What the set's evidence does not tell is gp3. */
export const typeOf = (spec: VolumeSpec | null): VolumeType => (spec?.type ?? 'gp3') as VolumeType;

/** Which of a volume's numbers a request may name depends on its type. */
export const performanceOf = (spec: VolumeSpec | null): Pick<CreateVolumeRequest, 'Iops' | 'Throughput'> => {
  const mayHaveIops = ['gp3', 'io1', 'io2'].includes(spec?.type ?? '');
  return {
    ...(mayHaveIops && spec?.iops ? { Iops: spec.iops } : {}),
    ...(spec?.type === 'gp3' && spec.throughput ? { Throughput: spec.throughput } : {}),
  };
};
