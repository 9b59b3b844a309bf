import type { MapSpec } from './map-run.ts';
import type { Definition, StateDefinition } from './template.ts';

/*
 * What aws-local-stepfunctions 3.0.0 lacks, as read in its source and seen in tests, and what is done about it here or in
 * step-functions.ts:
 *  - A task without TimeoutSeconds ends after 60 s (AWS: practically never)      → a limit of 24 days is written in.
 *  - Waits by path and retry intervals cannot be scaled, Fail takes no intrinsic
 *    function in ErrorPath and CausePath                                          → both become tasks of the lab's own.
 *  - ResultPath "$" would write a field named "$"                                  → taken out, which means the same.
 *  - `$$.State` and `$$.StateMachine` are not supplied                             → supplied, see `observed`.
 *  - After an abort a failing task still runs through its Retry, without waiting   → its handler refuses by then.
 *  - A Distributed Map runs as an inline one, without ItemReader, ResultWriter and
 *    tolerated failures                                                           → a task of the lab's own, map-run.ts.
 *  - No limit of 256 KiB (States.DataLimitExceeded)                                → checked on input and task results.
 * What stays different, so that no definition may rest on it:
 *  - JSONata, Assign, HeartbeatSeconds, .waitForTaskToken, ItemBatcher: refused below.
 *  - TimeoutSecondsPath is not scaled. A Map runs 40 iterations at once where AWS sets no limit.
 *  - Of an inline Map, ToleratedFailurePercentage is ignored: one failed iteration fails it.
 *  - Inside an inline Map, `$$.Execution.Input` is the item, `$$.Map` is seen by ItemSelector only, and `$$.State` is that of the
 *    state entered last anywhere in the execution.
 *  - When a sibling of a Map or Parallel fails, a state that is being retried there is tried to its end, without waits.
 */

/** A definition as the interpreter can run it, with the tasks that need a handler. */
export interface Adapted {
  definition: Definition;
  /** Every state that the interpreter runs as a task, by name: states' names are unique in a whole machine on AWS, too. */
  tasks: Map<string, StateDefinition>;
  /** The type of each state as it was written. */
  types: Map<string, string>;
  /** The Distributed Maps, by the state's name. */
  maps: Map<string, MapSpec>;
}

export interface Scales {
  /** Multiplies waits and retry intervals. */
  time: number;
  /** Multiplies the timeouts of tasks and of the machine. */
  timeout: number;
}

/** Resources of the lab's own. */
export const WAIT = 'lab:wait';
export const FAIL = 'lab:fail';
export const MAP = 'lab:distributed-map';

/** The definition with the gaps closed and its times scaled; throws on what the lab cannot run truly. */
export function adapt(definition: Definition, scales: Scales): Adapted {
  const adapted: Adapted = {
    definition: structuredClone(definition),
    tasks: new Map(),
    types: new Map(),
    maps: new Map(),
  };
  adaptMachine(adapted.definition, scales, adapted);
  return adapted;
}

/** The definition, telling whenever the interpreter goes on to a state: it looks each up by name just then. */
export function observed(definition: Definition, entered: (name: string) => void): Definition {
  const watch = (machine: Definition): Definition => ({
    ...machine,
    States: new Proxy(
      Object.fromEntries(Object.entries(machine.States).map(([name, state]) => [name, withChildren(state, watch)])),
      {
        get(states, name) {
          const state = states[name as string];
          if (state) entered(name as string);
          return state;
        },
      },
    ),
  });
  return watch(definition);
}

/** Longest timer that JavaScript has, in seconds. */
const LONGEST_SECONDS = 2_147_483;

const REFUSED = ['Assign', 'Arguments', 'HeartbeatSeconds', 'HeartbeatSecondsPath', 'ItemBatcher', 'Credentials'];

function adaptMachine(machine: Definition, scales: Scales, adapted: Adapted): void {
  if (machine.QueryLanguage === 'JSONata') throw new Error('the lab plays JSONPath state machines, not JSONata');
  if (machine.TimeoutSeconds) machine.TimeoutSeconds = limit(machine.TimeoutSeconds * scales.timeout);
  for (const [name, state] of Object.entries(machine.States)) {
    if (adapted.types.has(name)) throw new Error(`two states are called '${name}'`);
    adapted.types.set(name, state.Type);
    const refused = REFUSED.find((field) => field in state);
    if (refused || state.QueryLanguage === 'JSONata' || /waitForTaskToken/.test(String(state.Resource))) {
      throw new Error(`state '${name}': the lab does not play ${refused ?? state.Resource ?? 'JSONata'}`);
    }
    machine.States[name] = adaptState(name, state, scales, adapted);
  }
}

function adaptState(name: string, written: StateDefinition, scales: Scales, adapted: Adapted): StateDefinition {
  const state = isDistributed(written) ? asMapRun(name, written, adapted) : asTask(written);
  if (state.ResultPath === '$') delete state.ResultPath;
  for (const catcher of (state.Catch ?? []) as Record<string, unknown>[]) {
    if (catcher.ResultPath === '$') delete catcher.ResultPath;
  }
  for (const retrier of (state.Retry ?? []) as Record<string, number>[]) {
    retrier.IntervalSeconds = (retrier.IntervalSeconds ?? 1) * scales.time;
    if (retrier.MaxDelaySeconds !== undefined) retrier.MaxDelaySeconds *= scales.time;
  }
  if (state.Type === 'Task') {
    adapted.tasks.set(name, state);
    if (!state.TimeoutSecondsPath) {
      state.TimeoutSeconds = limit(Number(state.TimeoutSeconds ?? Number.POSITIVE_INFINITY) * scales.timeout);
    }
  }
  return withChildren(state, (child) => {
    adaptMachine(child, scales, adapted);
    return child;
  });
}

const isDistributed = ({ Type, ItemProcessor }: StateDefinition): boolean =>
  Type === 'Map' && (ItemProcessor as { ProcessorConfig?: { Mode?: string } }).ProcessorConfig?.Mode === 'DISTRIBUTED';

/** A Distributed Map as a task that gets where its items are and where its results go. */
function asMapRun(name: string, written: StateDefinition, adapted: Adapted): StateDefinition {
  const { ItemProcessor, ItemReader, ResultWriter, Label, MaxConcurrency, ToleratedFailurePercentage, ...rest } =
    written;
  const { ProcessorConfig: _, ...processor } = ItemProcessor as Definition & { ProcessorConfig: object };
  if (!ItemReader || 'ItemSelector' in rest) {
    throw new Error(`state '${name}': the lab plays Distributed Maps with an ItemReader and without an ItemSelector`);
  }
  adapted.maps.set(name, {
    processor,
    label: String(Label ?? name),
    maxConcurrency: Number(MaxConcurrency ?? 0),
    toleratedFailurePercentage: Number(ToleratedFailurePercentage ?? 0),
  });
  const parametersOf = (part: unknown) => (part as { Parameters: object } | undefined)?.Parameters;
  const parameters = { reader: parametersOf(ItemReader), writer: parametersOf(ResultWriter) };
  return { ...rest, Type: 'Task', Resource: MAP, Parameters: JSON.parse(JSON.stringify(parameters)) };
}

/** Wait and Fail as tasks of the lab's own; every other state as it is. */
function asTask(state: StateDefinition): StateDefinition {
  const {
    Type,
    Seconds,
    SecondsPath,
    Timestamp,
    TimestampPath,
    Error: error,
    Cause,
    ErrorPath,
    CausePath,
    ...rest
  } = state;
  const filled = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  if (Type === 'Wait') {
    const parameters = {
      seconds: Seconds,
      'seconds.$': SecondsPath,
      timestamp: Timestamp,
      'timestamp.$': TimestampPath,
    };
    return { ...rest, Type: 'Task', Resource: WAIT, Parameters: filled(parameters), ResultPath: null };
  }
  if (Type === 'Fail') {
    const parameters = { error, 'error.$': ErrorPath, cause: Cause, 'cause.$': CausePath };
    return { ...rest, Type: 'Task', Resource: FAIL, Parameters: filled(parameters), End: true };
  }
  return state;
}

/** A state with each machine inside it (Map's processor, Parallel's branches) passed through `change`. */
function withChildren(state: StateDefinition, change: (machine: Definition) => Definition): StateDefinition {
  const result = { ...state };
  for (const field of ['ItemProcessor', 'Iterator']) {
    if (state[field]) result[field] = change(state[field] as Definition);
  }
  if (state.Branches) result.Branches = (state.Branches as Definition[]).map(change);
  return result;
}

const limit = (seconds: number) => Math.min(seconds, LONGEST_SECONDS);
