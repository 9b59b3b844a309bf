import type { CfnTag } from 'aws-cdk-lib';
import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { DLM_DOCUMENT, DOCUMENTS, INSPECT_WINDOWS } from '../lambdas/shared/names.ts';
import { type DocumentNoun, renderDocuments } from './documents.ts';
import { renderInspectWindows } from './windows-document.ts';

/**
 * The SSM documents that run on the hosts. Their names are fixed and a change makes a new version, so that a run that
 * froze a host with the old version still finds the old thaw.
 */
export class HostDocuments extends Construct {
  readonly forInspect: ssm.CfnDocument;
  readonly forInspectWindows: ssm.CfnDocument;
  readonly forFreeze: ssm.CfnDocument;
  readonly forThaw: ssm.CfnDocument;
  readonly forRestore: ssm.CfnDocument;
  readonly forVerify: ssm.CfnDocument;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const contents = renderDocuments();
    const put = (constructId: string, name: string, content: object, tags?: CfnTag[]) =>
      new ssm.CfnDocument(this, constructId, {
        name,
        documentType: 'Command',
        documentFormat: 'JSON',
        targetType: '/AWS::EC2::Instance',
        updateMethod: 'NewVersion',
        content,
        ...(tags && { tags }),
      });
    const document = (constructId: string, noun: DocumentNoun, tags?: CfnTag[]) =>
      put(constructId, noun === 'dlm' ? DLM_DOCUMENT : DOCUMENTS[noun], contents[noun], tags);
    this.forInspect = document('Inspect', 'inspect');
    this.forInspectWindows = put('InspectWindows', INSPECT_WINDOWS, renderInspectWindows());
    this.forFreeze = document('Freeze', 'freeze');
    this.forThaw = document('Thaw', 'thaw');
    this.forRestore = document('Restore', 'restore');
    this.forVerify = document('Verify', 'verify');
    // Data Lifecycle Manager's own role may run documents with this tag only. No role of ours may run it.
    document('DLM', 'dlm', [{ key: 'DLMScriptsAccess', value: 'true' }]);
  }
}
