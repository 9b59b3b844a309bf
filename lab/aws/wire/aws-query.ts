import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import { AwsError } from '../errors.ts';
import { ec2Query, escapeXml } from './ec2-query.ts';
import type { Shape, ShapeError } from './schema.ts';

/** IAM's protocol: form parameters in, as EC2 has them as long as no list is among them, and a wrapped result out. */
export const awsQuery = (namespace: string) => ({
  contentType: 'text/xml',

  decode: (input: Shape, body: string): unknown => ec2Query.decode(input, new URLSearchParams(body)),

  encode(action: string, output: Shape, value: unknown): string {
    const serializer = new XmlShapeSerializer({
      xmlNamespace: namespace,
      serviceNamespace: namespace,
      timestampFormat: { useTrait: true, default: DATE_TIME },
      httpBindings: false,
    } as ConstructorParameters<typeof XmlShapeSerializer>[0]);
    serializer.write(output, value);
    const name = output.getName() as string;
    const result = String(serializer.flush())
      .replace(new RegExp(`^<${name}\\b[^>]*>`), `<${action}Result>`)
      .replace(`</${name}>`, `</${action}Result>`);
    return `<${action}Response xmlns="${namespace}">${result}</${action}Response>`;
  },

  encodeError: (error: AwsError, requestId: string): string =>
    `<ErrorResponse><Error><Type>Sender</Type><Code>${escapeXml(error.code)}</Code>` +
    `<Message>${escapeXml(error.message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,

  refusal: (error: ShapeError): AwsError => new AwsError('ValidationError', error.message),
});

/** Smithy's id of the RFC 3339 timestamp format. */
const DATE_TIME = 5;
