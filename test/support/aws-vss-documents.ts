import type { CommandDocument, DocumentParameter } from '../../lab/aws/ssm-documents.ts';
import type { World } from '../../lab/aws/world.ts';
import { VSS_DOCUMENTS } from '../../lambdas/shared/names.ts';

/**
 * AWS's documents for VSS by their documented contract (EC2 user guide, Parameters for Systems Manager VSS snapshot
 * documents): parameters and defaults. What they do is the model host's matter; the real ones' text is AWS's.
 */
export function putVssDocuments({ ssm }: World): void {
  ssm.documents.putOwned(VSS_DOCUMENTS.create, vssDocument({}));
  ssm.documents.putOwned(VSS_DOCUMENTS.install, vssDocument({ VssVersion: text('') }));
}

const text = (value: string): DocumentParameter => ({ type: 'String', default: value });
const truth: DocumentParameter = { type: 'String', default: 'False', allowedValues: ['True', 'False'] };

const vssDocument = (more: Record<string, DocumentParameter>): CommandDocument => ({
  schemaVersion: '2.2',
  parameters: {
    AmiName: text(''),
    description: text(''),
    CollectDiagnosticLogs: truth,
    CopyOnly: truth,
    CreateAmi: truth,
    executionTimeout: text('3600'),
    ExcludeBootVolume: truth,
    NoWriters: truth,
    SaveVssMetadata: truth,
    tags: text('Key=Name,Value='),
    ...more,
  },
  mainSteps: [
    {
      action: 'aws:runPowerShellScript',
      name: 'CreateVssSnapshot',
      inputs: {
        timeoutSeconds: '{{ executionTimeout }}',
        runCommand: ['# played by test/support/model-windows-host.ts'],
      },
    },
  ],
});
