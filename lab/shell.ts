/** `text` as one word of a shell command. */
export function shellQuote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A script that finds `args` in its positional parameters. */
export function withArguments(script: string, args: readonly string[]): string {
  return `set -- ${args.map(shellQuote).join(' ')}\n${script}`;
}
