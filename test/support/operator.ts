/** A person at the desk of a model account: command lines in, what the terminal shows and the exit code out. */
import type { Exit } from '../../cli/failures.ts';
import { main } from '../../cli/main.ts';
import { type Out, Terminal } from '../../cli/terminal.ts';
import type { ModelAccount } from './model-account.ts';

export interface Said {
  exit: Exit;
  out: string;
  err: string;
  /** stdout, as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: whatever the command prints
  json: any;
}

export const OPERATOR = 'arn:aws:iam::111122223333:role/operator';

/** `tty`: columns of a terminal; without it a pipe. */
export async function freezeframe(
  account: Pick<ModelAccount, 'deployment'>,
  line: string,
  { tty }: { tty?: number } = {},
): Promise<Said> {
  const before = { ...process.env };
  Object.assign(process.env, account.deployment.server.environment(OPERATOR));
  const [out, err] = [new Stream(tty), new Stream(tty)];
  try {
    const exit = await main(line.split(' ').filter(Boolean), new Terminal(out, err));
    return {
      exit,
      out: out.text,
      err: err.text,
      get json() {
        return JSON.parse(out.text);
      },
    };
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

class Stream implements Out {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns: number | undefined) {
    this.isTTY = columns !== undefined;
    this.columns = columns ?? 80;
  }

  write(text: string): void {
    this.text += text;
  }
}
