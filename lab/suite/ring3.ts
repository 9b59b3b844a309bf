import type { Account } from '../account.ts';
import type { Choice } from './matrix.ts';
import type { Report } from './report.ts';
export async function ring3(_a: Account, _r: Report, _c: Choice): Promise<void> {}
