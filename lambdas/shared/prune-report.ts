import { PruneReport, type PruneState } from './contracts.ts';

/** What comes after a part is done, or a batch: the next part, and after the last one the archive. */
export const nextOf = ({ todo, archive }: Pick<PruneState, 'todo' | 'archive'>): PruneState['next'] =>
  todo.length > 0 ? 'decide' : archive.length > 0 ? 'archive' : 'end';

export const emptyReport = (): PruneReport => PruneReport.parse({});

/** The state of an execution holds 256 KiB: of each kind so many are named, and the rest counted. */
const MOST_NAMED = 40;

/** Adds to a list of the report; from its end on, only the number of what is left out grows. */
export const note = (list: string[], text: string): void => {
  if (list.length < MOST_NAMED) {
    list.push(text.slice(0, 300));
    return;
  }
  const [, more = '0'] = /^and (\d+) more$/.exec(list[MOST_NAMED] ?? '') ?? [];
  list[MOST_NAMED] = `and ${Number(more) + 1} more`;
};
