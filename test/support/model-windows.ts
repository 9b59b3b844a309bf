import { CONTRACT, type WindowsAnswer } from '../../lambdas/shared/contracts.ts';

/**
 * What InspectWindows answers of a host with a boot disk and a striped volume over two Dynamic Disks, with SQL Server on
 * it. Made by hand after Microsoft's and AWS's descriptions: no Windows was at hand to record it from.
 */
export const windowsAnswer = (
  [root, ...data]: readonly string[],
  changes: Partial<WindowsAnswer> = {},
): WindowsAnswer => ({
  contract: CONTRACT,
  booted: '2026-11-20T03:12:44',
  uptime: 172_800.5,
  os: 'Microsoft Windows Server 2022 Datacenter',
  build: 20_348,
  powerShell: '5.1.20348.2849',
  languageMode: 'FullLanguage',
  dotNetRelease: 528_449,
  components: '2.5.1',
  disks: [root ?? '', ...data].map((volumeId, number) => ({
    number,
    serial: `${volumeId.replace('-', '')}_00000001.`,
    model: 'NVMe Amazon Elastic B',
    bus: 'NVMe',
    target: 0,
    dynamic: number > 0,
  })),
  volumes: [
    { mount: 'C:\\', guid: '\\\\?\\Volume{0c3a}\\', type: 'NTFS', disks: [0] },
    { mount: '', guid: '\\\\?\\Volume{efi0}\\', type: 'FAT32', disks: [0] },
    { mount: 'D:\\', guid: '\\\\?\\Volume{1d4b}\\', type: 'NTFS', disks: [] },
  ],
  pools: [],
  dynamicMissing: 0,
  writers: [
    { name: 'System Writer', state: 1, error: 'No error' },
    { name: 'SqlServerWriter', state: 1, error: 'No error' },
  ],
  services: [
    {
      name: 'MSSQLSERVER',
      path: 'C:\\Program Files\\Microsoft SQL Server\\MSSQL16.MSSQLSERVER\\MSSQL\\Binn\\sqlservr.exe',
    },
    { name: 'SQLWriter', path: 'C:\\Program Files\\Microsoft SQL Server\\90\\Shared\\sqlwriter.exe' },
  ],
  sqlServers: [{ name: 'MSSQLSERVER', version: '16.0.1000.6', dataDir: 'D:\\SQL\\Data' }],
  ...changes,
});
