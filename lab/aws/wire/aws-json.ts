import { JsonShapeDeserializer, JsonShapeSerializer } from '@aws-sdk/core/protocols';
import { AwsError } from '../errors.ts';
import { checkNames, type Shape, type ShapeError } from './schema.ts';

/** The JSON protocols of SSM (1.1) and Step Functions (1.0): the action is in `X-Amz-Target`, errors in `__type`. */
export const awsJson = {
  async decode(input: Shape, body: string): Promise<unknown> {
    const text = body === '' ? '{}' : body;
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      throw new AwsError('SerializationException', 'the body is no JSON document');
    }
    checkNames(input, parsed);
    if (input.isUnitSchema()) return {};
    // A string, not a Buffer: read() changes the prototype of the Buffer that it is given.
    return dropUndefined(await new JsonShapeDeserializer(SETTINGS).read(input, text));
  },

  encode(output: Shape, value: unknown): string {
    if (output.isUnitSchema()) return '{}';
    const serializer = new JsonShapeSerializer(SETTINGS);
    serializer.write(output, value);
    return String(serializer.flush());
  },

  encodeError(error: AwsError): string {
    return JSON.stringify({ __type: error.code, message: error.message, Message: error.message });
  },

  refusal(error: ShapeError): AwsError {
    if (error.kind === 'type') return new AwsError('SerializationException', error.message);
    return new AwsError('ValidationException', `1 validation error detected: ${error.message}`);
  },
};

/** Timestamps travel as seconds since the epoch (Smithy's format 7). */
const SETTINGS = { jsonName: false, timestampFormat: { useTrait: true, default: 7 } } as ConstructorParameters<
  typeof JsonShapeSerializer
>[0];

const dropUndefined = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
    ? Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined))
    : value;
