import { parseArgs } from 'node:util';
import { COMMON, type Command, Options } from './command.ts';
import { COMMANDS } from './commands.ts';
import { openDesk } from './desk.ts';
import { EXIT, type Exit, failureOf, UsageError } from './failures.ts';
import { helpOf, overview } from './help.ts';
import { paintFor, type Terminal } from './terminal.ts';
import { VERSION } from './version.ts';

/** Carries out one command line and answers its exit code. */
export const main = async (argv: readonly string[], terminal: Terminal): Promise<Exit> => {
  const [name = 'help', ...rest] = argv;
  const asJson = argv.includes('--json');
  if (asJson) terminal.progressBeside();
  try {
    if (['--version', '-v'].includes(name)) {
      terminal.print(asJson ? JSON.stringify({ version: VERSION }) : VERSION);
      return EXIT.done;
    }
    if (['help', '--help', '-h'].includes(name)) {
      const asked = rest.find((each) => !each.startsWith('-'));
      terminal.print(
        asked ? helpOf(commandNamed(asked), paintFor(terminal.out)) : overview(COMMANDS, paintFor(terminal.out)),
      );
      return EXIT.done;
    }
    const command = commandNamed(name);
    return await carryOut(command, rest, terminal, asJson);
  } catch (error) {
    return told(error, name, terminal, asJson);
  }
};

const carryOut = async (
  command: Command,
  rest: readonly string[],
  terminal: Terminal,
  asJson: boolean,
): Promise<Exit> => {
  const { values, positionals } = parsed(command, rest);
  const options = new Options(values);
  if (options.has('help')) {
    terminal.print(helpOf(command, paintFor(terminal.out)));
    return EXIT.done;
  }
  checkArguments(command, positionals);
  checkChoices(command, options);
  // Every client reads them there, as it does for the AWS CLI, which knows one more name for the Region.
  const region = options.text('region') ?? process.env.AWS_REGION ?? process.env.AWS_DEFAULT_REGION;
  if (region) process.env.AWS_REGION = region;
  const profile = options.text('profile');
  if (profile) process.env.AWS_PROFILE = profile;

  const {
    json,
    text,
    exit = EXIT.done,
  } = await command.run({ arguments: positionals, options, desk: openDesk(), terminal });
  terminal.print(asJson ? JSON.stringify(json, null, 2) : text);
  return exit;
};

const commandNamed = (name: string): Command => {
  const command = COMMANDS.find((each) => each.name === name);
  if (command) return command;
  const near = COMMANDS.map((each) => each.name).filter((each) => each.startsWith(name.slice(0, 2)));
  throw new UsageError(
    `there is no command ${name}${near.length ? `; do you mean ${near.join(' or ')}?` : ''} See freezeframe --help`,
  );
};

const parsed = (command: Command, args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: Object.fromEntries(
        Object.entries({ ...command.options, ...COMMON }).map(([option, { type, multiple = false }]) => [
          option,
          { type, multiple, ...(option === 'help' ? { short: 'h' } : {}) },
        ]),
      ),
      allowPositionals: true,
    });
  } catch (error) {
    const [first = ''] = (error as Error).message.split('. ');
    throw new UsageError(`${first}; see freezeframe ${command.name} --help`);
  }
};

const checkArguments = ({ name, arguments: wanted }: Command, given: readonly string[]): void => {
  const missing = wanted.slice(given.length).find(({ optional }) => !optional);
  if (missing) throw new UsageError(`${name} needs <${missing.name}>; see freezeframe ${name} --help`);
  if (given.length > wanted.length && !wanted.at(-1)?.many) {
    throw new UsageError(`${given[wanted.length]} is more than ${name} takes; see freezeframe ${name} --help`);
  }
  for (const [at, { name: argument, choices }] of wanted.entries()) {
    const value = given[at];
    if (value !== undefined && choices && !choices.includes(value)) {
      throw new UsageError(`<${argument}> is ${value}; it may be ${choices.join(', ')}`);
    }
  }
};

const checkChoices = (command: Command, options: Options): void => {
  for (const [name, { choices }] of Object.entries(command.options)) {
    const value = options.text(name);
    if (value !== undefined && choices && !choices.includes(value)) {
      throw new UsageError(`--${name} is ${value}; it may be ${choices.join(', ')}`);
    }
  }
};

const told = (error: unknown, command: string, terminal: Terminal, asJson: boolean): Exit => {
  const { name, message, exit } = failureOf(error);
  terminal.leave();
  if (asJson) terminal.print(JSON.stringify({ error: { name, message, exit } }, null, 2));
  const paint = paintFor(terminal.err);
  terminal.err.write(`${paint.bad(`freezeframe ${command}:`)} ${message}\n`);
  if (exit === EXIT.internal)
    terminal.err.write(`${error instanceof Error ? error.stack : ''}\nThis is a fault of freezeframe itself.\n`);
  return exit;
};
