import type { HistoryEvent as Told } from '@aws-sdk/client-sfn';
import type { Execution, HistoryEvent } from './execution.ts';

/** An execution's history as GetExecutionHistory tells it: a task is scheduled, started, ends somehow, and is left. */
export function historyAsTold(execution: Execution, withData: boolean): Told[] {
  const caught = new Set<string>();
  const told = execution.history.flatMap((event) => tell(event, execution, withData, caught));
  return told.map((event, index) => ({ ...event, id: index + 1, previousEventId: index }));
}

type Untold = Omit<Told, 'id' | 'previousEventId'>;

function tell(event: HistoryEvent, execution: Execution, withData: boolean, caught: Set<string>): Untold[] {
  const { type, state = '', stateType = '', error, cause } = event;
  const data = (key: string, value: unknown) => (withData ? { [key]: JSON.stringify(value ?? {}) } : {});
  const make = (name: string, more: object = {}): Untold => ({
    timestamp: new Date(event.at),
    type: name as NonNullable<Told['type']>,
    ...more,
  });
  const ending = { ...(error === undefined ? {} : { error }), ...(cause === undefined ? {} : { cause }) };
  const isTask = stateType === 'Task';
  const left = () =>
    make(`${stateType}StateExited`, { stateExitedEventDetails: { name: state, ...data('output', event.output) } });
  switch (type) {
    case 'ExecutionStarted':
      return [make(type, { executionStartedEventDetails: data('input', execution.input) })];
    case 'StateEntered':
      return [
        make(`${stateType}StateEntered`, {
          stateEnteredEventDetails: { name: state, ...data('input', event.input) },
        }),
        ...(isTask ? [make('LambdaFunctionScheduled'), make('LambdaFunctionStarted')] : []),
      ];
    case 'StateRetried':
      return [make('LambdaFunctionScheduled'), make('LambdaFunctionStarted')];
    case 'StateFailed': {
      if (!isTask) return [];
      return error === 'States.Timeout'
        ? [make('LambdaFunctionTimedOut', { lambdaFunctionTimedOutEventDetails: ending })]
        : [make('LambdaFunctionFailed', { lambdaFunctionFailedEventDetails: ending })];
    }
    case 'StateCaught':
      caught.add(state);
      return [];
    case 'StateExited': {
      // A state that caught its error is left like any other.
      const failed = caught.delete(state);
      return [...(isTask && !failed ? [make('LambdaFunctionSucceeded')] : []), left()];
    }
    case 'ExecutionSucceeded':
    case 'ExecutionFailed':
    case 'ExecutionAborted':
      return [make(type)];
    case 'ExecutionTimeout':
      return [make('ExecutionTimedOut')];
    default:
      return [];
  }
}
