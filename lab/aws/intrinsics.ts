/** What a template's references stand for: names, ARNs, parameters, pseudo parameters. */
export interface Scope {
  ref(logicalId: string): unknown;
  attribute(logicalId: string, attribute: string): unknown;
  condition(name: string): boolean;
  mapping(map: string, top: string, second: string): unknown;
}

/** A template's value with its intrinsic functions worked out; `AWS::NoValue` leaves its property out. */
export function resolve(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, scope)).filter((item) => item !== NO_VALUE);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const [name, argument] = entries[0] ?? [];
  if (entries.length === 1 && name !== undefined) {
    const intrinsic = INTRINSICS[name];
    if (intrinsic) return intrinsic(argument, scope);
  }
  return Object.fromEntries(
    entries.map(([key, item]) => [key, resolve(item, scope)] as const).filter(([, item]) => item !== NO_VALUE),
  );
}

/** Whether a condition's expression holds. */
export function holds(expression: unknown, scope: Scope): boolean {
  const [[name, argument] = ['', undefined]] = Object.entries(expression as object) as [string, unknown][];
  switch (name) {
    case 'Fn::Equals': {
      const [left, right] = resolve(argument, scope) as [unknown, unknown];
      return left === right;
    }
    case 'Fn::And':
      return (argument as unknown[]).every((item) => holds(item, scope));
    case 'Fn::Or':
      return (argument as unknown[]).some((item) => holds(item, scope));
    case 'Fn::Not':
      return !holds((argument as unknown[])[0], scope);
    case 'Condition':
      return scope.condition(argument as string);
    default:
      throw new Error(`template: the lab does not know the condition ${name}`);
  }
}

const NO_VALUE = Symbol('AWS::NoValue');

const INTRINSICS: Record<string, (argument: unknown, scope: Scope) => unknown> = {
  Ref: (id, scope) => (id === 'AWS::NoValue' ? NO_VALUE : scope.ref(id as string)),
  'Fn::GetAtt': (target, scope) => {
    const [id = '', ...attribute] = Array.isArray(target) ? (target as string[]) : String(target).split('.');
    return scope.attribute(id, attribute.join('.'));
  },
  'Fn::Join': (argument, scope) => {
    const [separator, parts] = argument as [string, unknown];
    return (resolve(parts, scope) as unknown[]).map(String).join(separator);
  },
  'Fn::Sub': (argument, scope) => {
    const [text, variables = {}] = (Array.isArray(argument) ? argument : [argument]) as [
      string,
      Record<string, unknown>?,
    ];
    return text.replace(/\$\{(!?)([^}]+)\}/g, (_whole, literal: string, name: string) => {
      if (literal) return `\${${name}}`;
      if (Object.hasOwn(variables, name)) return String(resolve(variables[name], scope));
      const dot = name.indexOf('.');
      return String(dot < 0 ? scope.ref(name) : scope.attribute(name.slice(0, dot), name.slice(dot + 1)));
    });
  },
  'Fn::Select': (argument, scope) => {
    const [index, list] = resolve(argument, scope) as [string | number, unknown[]];
    return list[Number(index)];
  },
  'Fn::Split': (argument, scope) => {
    const [separator, text] = resolve(argument, scope) as [string, string];
    return text.split(separator);
  },
  'Fn::If': (argument, scope) => {
    const [condition, yes, no] = argument as [string, unknown, unknown];
    return resolve(scope.condition(condition) ? yes : no, scope);
  },
  'Fn::FindInMap': (argument, scope) => {
    const [map, top, second] = resolve(argument, scope) as [string, string, string];
    return scope.mapping(map, top, second);
  },
  'Fn::Base64': (argument, scope) => Buffer.from(String(resolve(argument, scope))).toString('base64'),
};
