/** A Windows host in the words of every other one: what InspectWindows saw, made into a topology. */
import type { InspectAnswer, WindowsAnswer } from '../shared/contracts.ts';
import { appName } from '../shared/coverage.ts';

export const windowsTopology = (answer: WindowsAnswer, wanted: string): InspectAnswer => {
  const disks = answer.disks.map(diskOf);
  const filesystems = filesystemsOf(answer, disks);
  const apps = appsOf(answer, filesystems).filter(({ driver }) => isWanted(driver, wanted));
  return {
    contract: answer.contract,
    // Windows has no boot id; the moment of the boot is as good.
    bootId: answer.booted,
    uptime: answer.uptime,
    os: answer.os,
    kernel: String(answer.build),
    // Only Freeze compares it, and Windows is never frozen by us.
    topologyHash: '',
    disks: disks.map(({ name, kind, volumeId }) => ({ name, kind, volumeId })),
    filesystems,
    arrays: arraysOf(answer, disks),
    groups: [],
    apps,
    modes: { 'lvm-snapshot': NOT_HERE, 'fs-freeze': NOT_HERE, 'app-only': NOT_HERE },
    windows: {
      components: answer.components,
      writers: answer.writers,
      uncovered: [
        ...filesystems.filter((fs) => !fs.freezable).map((fs) => `${fs.mount}: ${fs.why}`),
        ...apps.filter((app) => !app.ready).map((app) => `${appName(app)}: ${app.problem}`),
      ],
    },
    faults: faultsOf(answer),
  };
};

const NOT_HERE = { possible: false, why: 'this is Windows' };

// ------------------------------------------------------------------------------------------------ disks and their groups

interface Disk {
  number: number;
  name: string;
  kind: 'ebs' | 'instance-store' | 'unknown';
  volumeId: string;
  dynamic: boolean;
}

const diskOf = ({ number, serial, model, target, dynamic }: WindowsAnswer['disks'][number]): Disk => {
  // Windows shows an EBS volume's NVMe serial as vol0123456789abcdef0_00000001.
  const [, id] = /^vol-?([0-9a-f]{17}|[0-9a-f]{8})(?![0-9a-f])/.exec(serial) ?? [];
  if (id) return { number, name: `disk${number}`, kind: 'ebs', volumeId: `vol-${id}`, dynamic };
  const isStore = /^AWS/.test(serial) || /EC2 NVMe|Instance Storage/i.test(model);
  if (isStore) return { number, name: `disk${number}`, kind: 'instance-store', volumeId: '', dynamic };
  return { number, name: target < 0 ? `disk${number}` : xenName(target), kind: 'unknown', volumeId: '', dynamic };
};

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** AWS's drivers for Xen count targets as EC2 counts names: 0 is xvda, 25 xvdz, 26 xvdaa, 52 xvdba. */
const xenName = (target: number): string =>
  `xvd${target < 26 ? '' : LETTERS[Math.floor(target / 26) - 1]}${LETTERS[target % 26]}`;

/** The Dynamic Disks of a host are one group: its database lies on all of them. */
const arraysOf = ({ pools, dynamicMissing }: WindowsAnswer, disks: readonly Disk[]): InspectAnswer['arrays'] => {
  const dynamic = disks.filter((disk) => disk.dynamic).map(({ name }) => name);
  return [
    ...(dynamic.length
      ? [{ ...ARRAY, name: 'dynamic-disks', uuid: '', level: 'dynamic', disks: dynamic, degraded: dynamicMissing }]
      : []),
    ...pools.map((pool) => ({
      ...ARRAY,
      name: pool.name,
      uuid: pool.id,
      level: 'storage-pool',
      disks: namesOf(disks, pool.disks),
      degraded: 0,
      state: pool.health,
    })),
  ];
};

const ARRAY = { syncAction: 'idle', state: '' };

const namesOf = (disks: readonly Disk[], numbers: readonly number[]): string[] =>
  disks.filter(({ number }) => numbers.includes(number)).map(({ name }) => name);

const faultsOf = ({ dynamicMissing, pools }: WindowsAnswer): InspectAnswer['faults'] => [
  ...(dynamicMissing > 0
    ? [
        {
          code: 'GroupPartial',
          message: `${dynamicMissing} of the Dynamic Disks are missing, and the others are of no use without them; attach them again, or remove what is lost from the group (diskpart: list disk)`,
        },
      ]
    : []),
  ...pools
    .filter(({ health }) => health !== 'Healthy')
    .map(({ name, health }) => ({
      code: 'ArrayDegraded',
      message: `the storage pool ${name} is ${health}; look at Get-StoragePool and Get-PhysicalDisk, and repair it`,
    })),
];

// ------------------------------------------------------------------------------------------- file systems, and what VSS covers

const filesystemsOf = ({ volumes, pools }: WindowsAnswer, disks: readonly Disk[]): InspectAnswer['filesystems'] =>
  volumes
    .filter(({ mount, type }) => mount !== '' || COVERED.includes(type))
    .map((volume) => {
      // A virtual disk stands for its pool; a volume that names no disk lies on Dynamic Disks.
      const numbers = volume.disks.flatMap(
        (number) => pools.find(({ spaces }) => spaces.includes(number))?.disks ?? [number],
      );
      const under = disks.filter((disk) => (volume.disks.length ? numbers.includes(disk.number) : disk.dynamic));
      const why = whyUncovered(volume.type, under);
      return {
        mount: volume.mount || volume.guid,
        type: volume.type,
        device: volume.guid,
        uuid: volume.guid,
        options: '',
        freezable: why === '',
        why,
        lv: '',
        layers: [],
        disks: under.map(({ name }) => name),
      };
    });

const COVERED = ['NTFS', 'ReFS'];

const whyUncovered = (type: string, disks: readonly Disk[]): string => {
  if (disks.length === 0) return 'it lies on no disk that could be in a set';
  if (disks.some(({ kind }) => kind === 'instance-store')) return 'it lies on instance store, which no snapshot holds';
  return COVERED.includes(type) ? '' : `VSS does not quiet ${type || 'a volume without a file system'}`;
};

// ------------------------------------------------------------------------------------------------------------- applications

type App = InspectAnswer['apps'][number];

/** Applications that bring a VSS writer, by the services that they run as. */
const WITH_WRITER = [
  { driver: 'exchange', name: 'Exchange', service: /^MSExchangeIS$/i, writer: /^Microsoft Exchange Writer$/ },
  {
    driver: 'sharepoint',
    name: 'SharePoint',
    service: /^(SPTimerV4|OSearch\d+|SPSearch\w*)$/i,
    writer: /^(OSearch|SPSearch|SharePoint Services)/,
  },
  { driver: 'ntds', name: 'Active Directory', service: /^NTDS$/i, writer: /^NTDS$/ },
  { driver: 'oracle', name: 'Oracle', service: /^OracleService/i, writer: /^Oracle VSS Writer/ },
] as const;
const SQL_WRITER = /^SqlServerWriter$/;

/** Servers without a writer: VSS flushes their file systems under them, and that is all. */
const WITHOUT_WRITER = [
  { driver: 'mysql', name: 'MySQL', service: /^(mysql|mariadb)/i },
  { driver: 'postgresql', name: 'PostgreSQL', service: /^postgresql/i },
  { driver: 'mongodb', name: 'MongoDB', service: /^mongodb/i },
  { driver: 'redis', name: 'Redis', service: /^redis/i },
] as const;

const appsOf = (answer: WindowsAnswer, filesystems: InspectAnswer['filesystems']): App[] => {
  const running = (service: RegExp) => answer.services.filter(({ name }) => service.test(name));
  const listed = (writer: RegExp) => answer.writers.some(({ name }) => writer.test(name));
  const mountsOf = (path: string): string[] => {
    const holding = filesystems.filter(({ mount }) => path.toLowerCase().startsWith(mount.toLowerCase()));
    const [nearest] = holding.sort((a, b) => b.mount.length - a.mount.length);
    return nearest ? [nearest.mount] : [];
  };
  const app = (driver: string, name: string, dataDir: string, mounts: string[], problem: string): App => ({
    driver,
    name,
    dataDir,
    mounts,
    ready: problem === '',
    problem,
    provable: problem === '',
    stopsWrites: problem === '',
  });

  return [
    ...answer.sqlServers
      .filter(({ name }) => running(/^MSSQL/i).some((service) => service.name === sqlService(name)))
      .map(({ name, version, dataDir }) =>
        app(
          'sqlserver',
          `SQL Server ${version}`,
          `${name}: ${dataDir}`,
          mountsOf(dataDir),
          listed(SQL_WRITER) ? '' : 'its writer SqlServerWriter is not listed; start the service SQLWriter',
        ),
      ),
    ...WITH_WRITER.filter(({ service }) => running(service).length > 0).map(({ driver, name, service, writer }) =>
      app(
        driver,
        name,
        running(service)[0]?.name ?? '',
        [],
        listed(writer) ? '' : 'its VSS writer is not listed; look at vssadmin list writers and restart its service',
      ),
    ),
    ...WITHOUT_WRITER.flatMap(({ driver, name, service }) =>
      running(service).map((each) => app(driver, name, each.name, mountsOf(each.path), 'it has no VSS writer')),
    ),
  ];
};

const sqlService = (instance: string): string => (instance === 'MSSQLSERVER' ? instance : `MSSQL$${instance}`);

const isWanted = (driver: string, wanted: string): boolean => wanted === 'auto' || wanted.split(',').includes(driver);
