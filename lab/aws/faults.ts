/** When a planned fault strikes. Without `nth` it strikes every time; `nth` counts matching calls from 1. */
export interface Occurrence<Input> {
  nth?: number | readonly number[];
  when?: (input: Input) => boolean;
}

/** One planned fault; a field of the target that is left out fits every call. */
export type Plan<Target, Fault, Input> = Partial<Target> & Occurrence<Input> & { fault: Fault };

/** Planned faults as data: which call, which occurrence, what goes wrong. */
export class Faults<Target extends object, Fault, Input = unknown> {
  readonly #planned: { entry: Plan<Target, Fault, Input>; seen: number }[] = [];

  /** Plans a fault; the function that is returned takes it back. */
  add(entry: Plan<Target, Fault, Input>): () => void {
    const planned = { entry, seen: 0 };
    this.#planned.push(planned);
    return () => {
      const index = this.#planned.indexOf(planned);
      if (index >= 0) this.#planned.splice(index, 1);
    };
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** The fault for this call, if one was planned. Every matching entry counts the call, the first that is due strikes. */
  strike(target: Target, input: Input): Fault | undefined {
    let struck: Fault | undefined;
    for (const planned of this.#planned) {
      const { nth, when, fault } = planned.entry;
      if (!fits(planned.entry, target) || (when && !when(input))) continue;
      planned.seen += 1;
      const due = nth === undefined || [nth].flat().includes(planned.seen);
      if (due && struck === undefined) struck = fault;
    }
    return struck;
  }
}

/** What can go wrong with a call to a service endpoint. */
export type CallFault =
  /** Refused without any effect. */
  | { kind: 'error'; code: string; status?: number; message?: string }
  /** Late, then as usual. */
  | { kind: 'delay'; ms: number }
  /** Done, but the connection drops before the answer. */
  | { kind: 'lostAnswer' }
  /** Done, but the answer cannot be read. */
  | { kind: 'malformed' };

/** A call to an endpoint, as faults name it. */
export interface CallTarget {
  service: string;
  action: string;
}

const fits = (entry: object, target: object): boolean =>
  Object.entries(target).every(([key, value]) => {
    const wanted = (entry as Record<string, unknown>)[key];
    return wanted === undefined || wanted === value;
  });
