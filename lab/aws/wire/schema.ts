import { NormalizedSchema } from '@smithy/core/schema';

/** A shape of the service's model, as the SDK package ships it. */
export type Shape = NormalizedSchema;

/** Input and output shape of an operation, from the very package that the client under test uses. */
export function operation(sdk: object, action: string): { input: Shape; output: Shape } | undefined {
  const schema = (sdk as Record<string, unknown>)[`${action}$`];
  if (!Array.isArray(schema) || schema[0] !== OPERATION) return undefined;
  return { input: NormalizedSchema.of(schema[4]), output: NormalizedSchema.of(schema[5]) };
}

/** A value that does not fit its shape. */
export class ShapeError extends Error {
  readonly path: string;
  readonly kind: 'missing' | 'unknown' | 'type';

  constructor(kind: 'missing' | 'unknown' | 'type', path: string, message: string) {
    super(message);
    this.name = 'ShapeError';
    this.kind = kind;
    this.path = path;
  }
}

/** Throws when a value has a member that the shape lacks, lacks one that is required, or has the wrong type. */
export function check(shape: Shape, value: unknown, path = ''): void {
  if (shape.isUnitSchema()) return;
  if (shape.isStructSchema()) {
    checkStruct(shape, value, path);
    return;
  }
  if (shape.isListSchema()) {
    if (!Array.isArray(value)) throw wrongType(path, 'a list', value);
    value.forEach((item, index) => {
      check(shape.getValueSchema(), item, `${path}[${index}]`);
    });
    return;
  }
  if (shape.isMapSchema()) {
    if (!isObject(value)) throw wrongType(path, 'a map', value);
    for (const [key, item] of Object.entries(value)) check(shape.getValueSchema(), item, `${path}.${key}`);
    return;
  }
  const expected = scalar(shape);
  if (expected && !expected.fits(value)) throw wrongType(path, expected.name, value);
}

/** Throws when a JSON body has a member that the shape lacks: the SDK's deserializer would drop it in silence. */
export function checkNames(shape: Shape, value: unknown, path = ''): void {
  if (shape.isStructSchema() && isObject(value)) {
    const members = shape.getMemberSchemas();
    for (const [name, item] of Object.entries(value)) {
      const member = members[name];
      if (!member) throw new ShapeError('unknown', join(path, name), `${join(path, name)} is not a member`);
      checkNames(member, item, join(path, name));
    }
  } else if (shape.isListSchema() && Array.isArray(value)) {
    for (const item of value) checkNames(shape.getValueSchema(), item, path);
  } else if (shape.isMapSchema() && isObject(value)) {
    for (const item of Object.values(value)) checkNames(shape.getValueSchema(), item, path);
  }
}

/** Smithy's static schema ids, positions and widths: [kind, namespace, name, traits, memberNames, members, required]. */
const OPERATION = 9;
const REQUIRED_COUNT = 6;

function checkStruct(shape: Shape, value: unknown, path: string): void {
  if (!isObject(value)) throw wrongType(path, 'a structure', value);
  const members = shape.getMemberSchemas();
  for (const name of Object.keys(value)) {
    if (!members[name]) throw new ShapeError('unknown', join(path, name), `${join(path, name)} is not a member`);
  }
  const schema = shape.getSchema() as unknown as readonly unknown[];
  // Required members come first in the SDK's schemas, so a count is enough to know them.
  const required = Object.keys(members).slice(0, (schema[REQUIRED_COUNT] as number | undefined) ?? 0);
  for (const name of required) {
    if (value[name] === undefined || value[name] === null) {
      throw new ShapeError('missing', join(path, name), `${join(path, name)} is required`);
    }
  }
  for (const [name, member] of Object.entries(members)) {
    if (value[name] !== undefined && value[name] !== null) check(member, value[name], join(path, name));
  }
}

function scalar(shape: Shape): { name: string; fits: (value: unknown) => boolean } | undefined {
  if (shape.isStringSchema()) return { name: 'a string', fits: (v) => typeof v === 'string' };
  if (shape.isBooleanSchema()) return { name: 'a boolean', fits: (v) => typeof v === 'boolean' };
  if (shape.isNumericSchema()) return { name: 'a number', fits: (v) => typeof v === 'number' && !Number.isNaN(v) };
  if (shape.isTimestampSchema()) return { name: 'a date', fits: (v) => v instanceof Date };
  return undefined;
}

const join = (path: string, name: string) => (path ? `${path}.${name}` : name);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const wrongType = (path: string, expected: string, value: unknown) =>
  new ShapeError('type', path, `${path || 'the value'} must be ${expected}, not ${JSON.stringify(value)}`);
