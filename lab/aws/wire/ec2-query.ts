import { XmlShapeSerializer } from '@aws-sdk/core/protocols';
import { AwsError } from '../errors.ts';
import { type Shape, ShapeError } from './schema.ts';

/** EC2's protocol: form parameters in (`TagSpecification.1.Tag.2.Key=…`), XML out. */
export const ec2Query = {
  contentType: 'text/xml;charset=UTF-8',

  /** The inverse of the SDK's QueryShapeSerializer, driven by the same schema. */
  decode(input: Shape, form: URLSearchParams): unknown {
    const root = tree(form);
    root.children.delete('Action');
    root.children.delete('Version');
    return read(input, root, '');
  },

  encode(action: string, output: Shape, value: unknown): string {
    const serializer = new XmlShapeSerializer({
      xmlNamespace: NAMESPACE,
      serviceNamespace: 'com.amazonaws.ec2',
      timestampFormat: { useTrait: true, default: DATE_TIME },
      httpBindings: false,
    } as ConstructorParameters<typeof XmlShapeSerializer>[0]);
    if (output.isUnitSchema())
      return `<${action}Response xmlns="${NAMESPACE}"><return>true</return></${action}Response>`;
    serializer.write(output, value);
    const xml = String(serializer.flush());
    const name = output.getName() as string;
    // EC2 calls the root <ActionResponse>, whatever the output shape is called.
    return xml.replace(new RegExp(`^<${name}\\b`), `<${action}Response`).replace(`</${name}>`, `</${action}Response>`);
  },

  encodeError(error: AwsError, requestId: string): string {
    return (
      `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${escapeXml(error.code)}</Code>` +
      `<Message>${escapeXml(error.message)}</Message></Error></Errors><RequestID>${requestId}</RequestID></Response>`
    );
  },

  /** EC2's names for a request that does not fit its model. */
  refusal(error: ShapeError): AwsError {
    if (error.kind === 'missing') {
      return new AwsError('MissingParameter', `The request must contain the parameter ${error.path}`);
    }
    if (error.kind === 'unknown') return new AwsError('UnknownParameter', `Unknown parameter ${error.path}`);
    return new AwsError('InvalidParameterValue', error.message);
  },
};

export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15';
/** Smithy's id of the RFC 3339 timestamp format. */
const DATE_TIME = 5;

interface Node {
  value?: string;
  children: Map<string, Node>;
}

function tree(form: URLSearchParams): Node {
  const root: Node = { children: new Map() };
  for (const [key, value] of form) {
    let node = root;
    for (const part of key.split('.')) {
      const child = node.children.get(part) ?? { children: new Map() };
      node.children.set(part, child);
      node = child;
    }
    node.value = value;
  }
  return root;
}

function read(shape: Shape, node: Node, path: string): unknown {
  if (shape.isUnitSchema()) return {};
  if (shape.isStructSchema()) {
    const unread = new Set(node.children.keys());
    const struct: Record<string, unknown> = {};
    for (const [name, member] of shape.structIterator()) {
      const key = memberKey(name, member);
      const child = node.children.get(key);
      if (!child) continue;
      unread.delete(key);
      struct[name] = read(member, child, path ? `${path}.${key}` : key);
    }
    const [unknown] = unread;
    if (unknown !== undefined) throw new ShapeError('unknown', path ? `${path}.${unknown}` : unknown, 'unknown');
    return struct;
  }
  if (shape.isListSchema()) {
    return [...node.children]
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([index, child]) => read(shape.getValueSchema(), child, `${path}.${index}`));
  }
  return readScalar(shape, node.value ?? '', path);
}

function readScalar(shape: Shape, text: string, path: string): unknown {
  if (shape.isBooleanSchema()) {
    if (text !== 'true' && text !== 'false') throw new ShapeError('type', path, `${path}: '${text}' is not a boolean`);
    return text === 'true';
  }
  if (shape.isNumericSchema()) {
    if (!/^-?\d+(\.\d+)?$/.test(text)) throw new ShapeError('type', path, `${path}: '${text}' is not a number`);
    return Number(text);
  }
  if (shape.isTimestampSchema()) return new Date(text);
  return text;
}

function memberKey(name: string, member: Shape): string {
  const { ec2QueryName, xmlName } = member.getMergedTraits();
  if (ec2QueryName) return String(ec2QueryName);
  const key = (xmlName as string | undefined) ?? name;
  return key.charAt(0).toUpperCase() + key.slice(1);
}
