/** All of workflow/ in one process: its tests share what takes long to load. */
import { importTests } from '../support/import-tests.ts';

await importTests('workflow');
