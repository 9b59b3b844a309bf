import { COMMON, type Command, type Option } from './command.ts';
import { UsageError } from './failures.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** `commands` is asked late: this one is among them. */
export const completionFor = (commands: () => readonly Command[]): Command => ({
  name: 'completion',
  summary: 'print a script that completes commands and options in your shell',
  about: [
    'Load it where your shell starts. It completes commands, options and the values that are known beforehand; it asks AWS nothing.',
  ],
  arguments: [{ name: 'shell', choices: SHELLS }],
  options: {},
  examples: [
    ['source <(freezeframe completion bash)', 'In ~/.bashrc.'],
    ['source <(freezeframe completion zsh)', 'In ~/.zshrc, after compinit.'],
    ['freezeframe completion fish > ~/.config/fish/completions/freezeframe.fish', 'Once.'],
  ],
  run: async ({ arguments: [shell] }) => {
    const script = SCRIPTS[shell as (typeof SHELLS)[number]]?.(commands());
    if (script === undefined) throw new UsageError(`there is no completion for ${shell}`);
    return { json: { shell, script }, text: script };
  },
});

const optionsOf = ({ options }: Command): [string, Option][] => Object.entries({ ...options, ...COMMON });
const choicesOf = (command: Command): readonly string[] => command.arguments.flatMap(({ choices = [] }) => choices);

const bash = (commands: readonly Command[]): string => `_freezeframe() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W '${[...commands.map(({ name }) => name), 'help'].join(' ')}' -- "$current")
    return
  fi
  case "\${COMP_WORDS[1]} $previous" in
${commands
  .flatMap((command) =>
    optionsOf(command)
      .filter(([, { type }]) => type === 'string')
      .map(([name, { choices = [] }]) => `    '${command.name} --${name}') words='${choices.join(' ')}' ;;`),
  )
  .join('\n')}
    *) case "\${COMP_WORDS[1]}" in
      help) words='${commands.map(({ name }) => name).join(' ')}' ;;
${commands
  .map(
    (command) =>
      `      ${command.name}) words='${[...choicesOf(command), ...optionsOf(command).map(([name]) => `--${name}`)].join(' ')}' ;;`,
  )
  .join('\n')}
    esac ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _freezeframe freezeframe
`;

const quoted = (text: string): string => text.replaceAll("'", "'\\''");

const zsh = (commands: readonly Command[]): string => `#compdef freezeframe
_freezeframe() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${commands
  .map(
    (command) => `    ${command.name})
      _arguments \\
${[
  ...optionsOf(command).map(([name, { type, value, choices, help }]) => {
    const argument = type === 'boolean' ? '' : `:${value ?? name}:${choices ? `(${choices.join(' ')})` : ''}`;
    return `        '--${name}[${quoted(help).replaceAll(/[[\]:]/g, ' ')}]${argument}'`;
  }),
  ...(choicesOf(command).length > 0
    ? [`        '2:${command.arguments[0]?.name}:(${choicesOf(command).join(' ')})'`]
    : []),
].join(' \\\n')} ;;`,
  )
  .join('\n')}
  esac
}
compdef _freezeframe freezeframe
`;

const fish = (commands: readonly Command[]): string =>
  [
    'complete -c freezeframe -f',
    ...commands.map(
      ({ name, summary }) => `complete -c freezeframe -n __fish_use_subcommand -a ${name} -d '${fishQuoted(summary)}'`,
    ),
    ...commands.flatMap((command) => [
      ...(choicesOf(command).length > 0
        ? [
            `complete -c freezeframe -n '__fish_seen_subcommand_from ${command.name}' -a '${choicesOf(command).join(' ')}'`,
          ]
        : []),
      ...optionsOf(command).map(([name, { type, choices, help }]) => {
        const value = type === 'boolean' ? '' : choices ? ` -x -a '${choices.join(' ')}'` : ' -x';
        return `complete -c freezeframe -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${value} -d '${fishQuoted(help)}'`;
      }),
    ]),
    '',
  ].join('\n');

const fishQuoted = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");

const SCRIPTS = { bash, zsh, fish };
