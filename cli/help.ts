import { type Argument, COMMON, type Command, type Option } from './command.ts';
import type { Paint } from './terminal.ts';
import { wrapped } from './words.ts';

const WIDTH = 80;

/** All commands in a line each. */
export const overview = (commands: readonly Command[], paint: Paint): string => {
  const width = Math.max(...commands.map(({ name, arguments: args }) => heading(name, args).length));
  return [
    `${paint.bold('freezeframe')}: consistent snapshot sets of EC2 instances, from the desk`,
    '',
    paint.bold('Commands'),
    ...commands.map(
      ({ name, arguments: args, summary }) => `  ${paint.accent(heading(name, args).padEnd(width))}  ${summary}`,
    ),
    '',
    paint.bold('Every command takes'),
    ...optionLines(COMMON, paint),
    '',
    wrapped(
      'Begin with freezeframe doctor, then freezeframe plan: neither changes anything. freezeframe help COMMAND explains one with examples.',
      WIDTH,
    ),
  ].join('\n');
};

export const helpOf = ({ name, summary, about, arguments: args, options, examples }: Command, paint: Paint): string =>
  [
    `${paint.bold(`freezeframe ${name}`)}: ${summary}`,
    '',
    `  freezeframe ${heading(name, args)}${Object.keys(options).length > 0 ? ' [options]' : ''}`,
    ...about.flatMap((paragraph) => ['', wrapped(paragraph, WIDTH)]),
    ...(Object.keys(options).length > 0 ? ['', paint.bold('Options'), ...optionLines(options, paint)] : []),
    '',
    paint.bold('As for every command'),
    ...optionLines(COMMON, paint),
    '',
    paint.bold('Examples'),
    ...examples.flatMap(([line, what]) => [`  ${paint.accent(line)}`, wrapped(what, WIDTH, '      ')]),
  ].join('\n');

const heading = (name: string, args: readonly Argument[]): string =>
  [
    name,
    ...args.map(({ name: argument, optional, many }) => {
      const word = `<${argument}>${many ? '...' : ''}`;
      return optional ? `[${word}]` : word;
    }),
  ].join(' ');

const optionLines = (options: Readonly<Record<string, Option>>, paint: Paint): string[] => {
  const named = Object.entries(options).map(([name, { value, choices, help }]) => {
    const shown = choices ? choices.join('|') : value;
    return [`--${name}${shown ? ` ${shown}` : ''}`, help] as const;
  });
  const width = Math.min(24, Math.max(...named.map(([head]) => head.length)));
  return named.flatMap(([head, help]) => {
    const [first = '', ...rest] = wrapped(help, WIDTH - width - 4).split('\n');
    const indent = ' '.repeat(width + 4);
    if (head.length > width) return [`  ${paint.accent(head)}`, ...[first, ...rest].map((line) => indent + line)];
    return [`  ${paint.accent(head.padEnd(width))}  ${first}`, ...rest.map((line) => indent + line)];
  });
};
