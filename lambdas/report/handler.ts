import * as z from 'zod/mini';
import { systemClock } from '../shared/clock.ts';
import { type Reported, ReportInput, Target, Unmet } from '../shared/contracts.ts';
import { nextFiring } from '../shared/firings.ts';
import { writeMetrics } from '../shared/metrics.ts';
import { FLEET_STATES, METRICS } from '../shared/names.ts';
import { getJson, s3Client } from '../shared/s3.ts';
import { step } from '../shared/step.ts';
import { report } from './report.ts';
import { outcomesFrom } from './results.ts';

const get = getJson(s3Client());

export const handler = step(ReportInput, FLEET_STATES.report).handler(
  async ({ state, policies }): Promise<Reported> => {
    const { found, results, mapError } = state;
    const policy = policies[found.policy];
    const read = async (key: string) => (await get(found.bucket, key))?.json ?? [];
    const { reached, ...reported } = report({
      found,
      targets: z.array(Target).parse(await read(found.targetsKey)),
      unmet: z.array(Unmet).parse(await read(found.unmetKey)),
      outcomes: results ? await outcomesFrom(await read(results.ResultWriterDetails.Key), read) : [],
      mapError,
      grade: policy?.grade ?? 'application',
      nextRun: policy && nextFiring(policy, Date.parse(found.time)),
    });
    writeMetrics(
      found.policy,
      { [METRICS.reached]: reached, [METRICS.missed]: reported.event.missed },
      systemClock.now(),
    );
    return reported;
  },
);
