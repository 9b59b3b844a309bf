import { ListSetsInput } from '../shared/contracts.ts';
import { ec2Client, pagesOfOurs } from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { step } from '../shared/step.ts';
import { listSets } from './list-sets.ts';

const ours = (region: string) => pagesOfOurs(ec2Client({ attempts: 8, region }));

export const handler = step(ListSetsInput, PRUNE_STATES.listSets).handler((input) => listSets(input, ours));
