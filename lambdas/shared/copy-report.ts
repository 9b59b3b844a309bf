import type { CopyReport } from './copy-contracts.ts';

export const emptyCopyReport = (): CopyReport => ({
  there: 0,
  underWay: 0,
  inFlight: 0,
  percent: 0,
  waiting: 0,
  oldestLackingHours: 0,
  late: [],
  failing: [],
  cannot: [],
  begun: [],
  finished: [],
  removed: [],
  troubles: [],
});
