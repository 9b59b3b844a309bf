import { ListSetsInput, type Place } from '../shared/contracts.ts';
import { pagesOfOurs } from '../shared/ec2.ts';
import { PRUNE_STATES } from '../shared/names.ts';
import { clientIn } from '../shared/places.ts';
import { step } from '../shared/step.ts';
import { listSets } from './list-sets.ts';

const ours = (place: Place) => pagesOfOurs(clientIn(place, { attempts: 8 }));

export const handler = step(ListSetsInput, PRUNE_STATES.listSets).handler((input) => listSets(input, ours));
