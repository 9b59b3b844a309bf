import { readFileSync } from 'node:fs';

/** The document for Windows, whose one script is small enough to be shipped as it stands. */
export interface PowerShellDocument {
  readonly schemaVersion: '2.2';
  readonly description: string;
  readonly parameters: Record<string, never>;
  readonly mainSteps: readonly [
    {
      readonly action: 'aws:runPowerShellScript';
      readonly name: string;
      readonly precondition: { readonly StringEquals: readonly ['platformType', 'Windows'] };
      readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] };
    },
  ];
}

export const readInspectWindows = (): string =>
  readFileSync(new URL('../ssm-documents/windows/inspect.ps1', import.meta.url), 'utf8');

export const renderInspectWindows = (): PowerShellDocument => ({
  schemaVersion: '2.2',
  description: 'Freezeframe: tells what VSS would find on this host. Changes nothing.',
  // None: what an application is wanted for is decided where it can be tested.
  parameters: {},
  mainSteps: [
    {
      action: 'aws:runPowerShellScript',
      name: 'inspect',
      precondition: { StringEquals: ['platformType', 'Windows'] },
      inputs: { timeoutSeconds: '80', runCommand: readInspectWindows().trimEnd().split('\n') },
    },
  ],
});
