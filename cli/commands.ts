import { backup } from './backup.ts';
import type { Command } from './command.ts';
import { completionFor } from './completion.ts';
import { list } from './list.ts';
import { show } from './show.ts';

/** In the order that the help has them. */
export const COMMANDS: readonly Command[] = [backup, list, show, completionFor(() => COMMANDS)];
