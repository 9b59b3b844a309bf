import { NativeServer } from './native-server.ts';
import { type Machine, measuredOn, type Part } from './page.ts';
import { INJECTED } from './rig.ts';
import {
  chartOf,
  fsFreezeGoal,
  goalTable,
  partsOfFsFreeze,
  roundOf,
  type Stalls,
  stallOf,
  stallTable,
} from './stalls.ts';
import type { Way } from './ways.ts';

interface Results extends Stalls {
  machine: Machine;
}

/** What a single disk without LVM has. */
const HERE: readonly Way[] = ['fs-freeze', 'document', 'no-freeze'];

/** The frozen window on a processor that nobody emulates: this machine is the host. */
export const nativeWindow: Part = {
  async measure({ rounds = 10, minutes = Number.POSITIVE_INFINITY, before, save }) {
    const end = Date.now() + minutes * 60_000;
    const measured = [...((before as Results | undefined)?.rounds ?? [])];
    const results = () => ({ injected: INJECTED, rounds: measured });
    const rig = await NativeServer.rig();
    try {
      for (const way of Array.from({ length: rounds }, () => HERE).flat()) {
        if (Date.now() > end) break;
        measured.push(await roundOf(rig, way, 1));
        save(results());
      }
      return results();
    } finally {
      await rig.close();
    }
  },

  render(results: Results) {
    return `
${measuredOn(results)} Injected: the same. Rounds of each way in one run:
${stallOf(results, 'fs-freeze').times}.

${stallTable(results, HERE)}

![Where the milliseconds of each way go](images/frozen-window-native.svg)

${goalTable([fsFreezeGoal(results)])}

${partsOfFsFreeze(results)}
`;
  },

  drawing: {
    file: 'frozen-window-native.svg',
    draw: (results: Results) =>
      chartOf(
        'Where the milliseconds of a frozen window go, on a processor that nobody emulates',
        results,
        HERE.filter((way) => way !== 'no-freeze'),
      ),
  },
};
