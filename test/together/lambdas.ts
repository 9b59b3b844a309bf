/** All of lambdas/ in one process: its tests share what takes long to load. */
import { config } from 'zod/mini';
import { importTests } from '../support/import-tests.ts';

// The plan, which some of them read, brings zod's own messages; the functions have none.
config({ localeError: () => undefined });
await importTests('lambdas');
