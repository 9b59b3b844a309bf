import { backup } from './backup.ts';
import type { Command } from './command.ts';
import { completionFor } from './completion.ts';
import { cost } from './cost.ts';
import { doctor } from './doctor.ts';
import { drill } from './drill.ts';
import { list } from './list.ts';
import { plan } from './plan.ts';
import { prune } from './prune.ts';
import { restore } from './restore.ts';
import { show } from './show.ts';
import { thaw } from './thaw.ts';

/** In the order that the help has them. */
export const COMMANDS: readonly Command[] = [
  plan,
  backup,
  list,
  show,
  restore,
  drill,
  thaw,
  doctor,
  prune,
  cost,
  completionFor(() => COMMANDS),
];
