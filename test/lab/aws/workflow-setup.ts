import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeployOptions, deploy } from '../../../lab/aws/deploy.ts';
import { type Definition, readTemplate, type StateDefinition } from '../../../lab/aws/template.ts';
import { World } from '../../../lab/aws/world.ts';
import { MemoryStore } from '../../support/memory-store.ts';

/** A handler that does what its event asks for: enough to see every way in which a function can end. */
const BUNDLE = `
import http from 'node:http';
let served = 0;
/** As an SDK client asks: signed in the name of whose key is in the environment. */
const describeInstances = () =>
  new Promise((resolve, reject) => {
    const { AWS_ACCESS_KEY_ID: key, AWS_REGION: region, AWS_ENDPOINT_URL: endpoint } = process.env;
    const { hostname: host, port } = new URL(endpoint);
    const authorization = \`AWS4-HMAC-SHA256 Credential=\${key}/20260101/\${region}/ec2/aws4_request, Signature=x\`;
    const request = http.request({ host, port, method: 'POST', path: '/', headers: { authorization } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end('Action=DescribeInstances&Version=2016-11-15');
  });
export const handler = async (event, context) => {
  served += 1;
  console.log(JSON.stringify({ message: 'served', served, name: context.functionName }));
  if (event.fail) throw Object.assign(new Error(event.message ?? 'asked to fail'), { name: event.fail });
  if (event.failOnce && served === 1) throw Object.assign(new Error('first time'), { name: event.failOnce });
  if (event.exit) process.exit(1);
  if (event.sleep) await new Promise((resolve) => setTimeout(resolve, event.sleep));
  if (event.thenAsk) console.log('answered ' + (await describeInstances()));
  if (event.big) return 'x'.repeat(event.big);
  const key = process.env.AWS_ACCESS_KEY_ID;
  return { served, key, event, left: context.getRemainingTimeInMillis() > 0, secret: process.env.COLOUR };
};
`;

/** A stack of state machines around one function, `Worker`, deployed into a world. */
export async function workflows(machines: Record<string, Definition>, options: StackOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'freezeframe-lab-'));
  const asset = join(directory, 'asset.0123');
  const world = new World({ store: new MemoryStore() });
  const template = {
    Resources: {
      WorkerRole: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: {} } },
      Worker: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          Code: { S3Bucket: 'assets', S3Key: '0123.zip' },
          Handler: 'index.handler',
          Role: { 'Fn::GetAtt': ['WorkerRole', 'Arn'] },
          Timeout: options.functionTimeout ?? 30,
          Environment: { Variables: { COLOUR: { 'Fn::Join': ['-', ['red', { Ref: 'AWS::Region' }]] } } },
        },
      },
      ...Object.fromEntries(
        Object.entries(machines).map(([name, definition]) => [
          name,
          {
            Type: 'AWS::StepFunctions::StateMachine',
            Properties: {
              StateMachineName: name,
              DefinitionString: joined(definition),
              RoleArn: 'arn:aws:iam::111122223333:role/flow',
            },
          },
        ]),
      ),
      ...options.resources,
    },
  };
  makeAsset(asset);
  const deployment = await deploy(readTemplate(template, { assembly: directory }), world, options);
  return Object.assign(deployment, {
    async [Symbol.asyncDispose]() {
      await deployment.close();
      rmSync(directory, { recursive: true });
    },
  });
}

export interface StackOptions extends DeployOptions {
  readonly resources?: Record<string, object>;
  /** Seconds. */
  readonly functionTimeout?: number;
}

/** A state that calls the function with a payload. */
export const work = (parameters: object, more: object = {}): StateDefinition => ({
  Type: 'Task',
  Resource: WORKER,
  Parameters: parameters,
  ...more,
});

const WORKER = '@Worker@';

function makeAsset(asset: string): void {
  mkdirSync(asset);
  writeFileSync(join(asset, 'index.mjs'), BUNDLE);
}

/** The definition as CDK writes it: a Fn::Join with the function's ARN in its place. */
const joined = (definition: Definition) => ({
  'Fn::Join': [
    '',
    JSON.stringify(definition)
      .split(WORKER)
      .flatMap((part, index) => (index === 0 ? [part] : [{ 'Fn::GetAtt': ['Worker', 'Arn'] }, part])),
  ],
});
