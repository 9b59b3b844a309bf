import * as ssm from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { DOCUMENTS } from '../lambdas/shared/names.ts';
import { renderDocuments } from './documents.ts';

/**
 * The SSM documents that run on the hosts. Their names are fixed and a change makes a new version, so that a run that
 * froze a host with the old version still finds the old thaw.
 */
export class HostDocuments extends Construct {
  readonly forInspect: ssm.CfnDocument;
  readonly forFreeze: ssm.CfnDocument;
  readonly forThaw: ssm.CfnDocument;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const contents = renderDocuments();
    const document = (constructId: string, noun: keyof typeof DOCUMENTS) =>
      new ssm.CfnDocument(this, constructId, {
        name: DOCUMENTS[noun],
        documentType: 'Command',
        documentFormat: 'JSON',
        targetType: '/AWS::EC2::Instance',
        updateMethod: 'NewVersion',
        content: contents[noun],
      });
    this.forInspect = document('Inspect', 'inspect');
    this.forFreeze = document('Freeze', 'freeze');
    this.forThaw = document('Thaw', 'thaw');
  }
}
