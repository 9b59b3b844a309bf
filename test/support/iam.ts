/** What IAM answers, by an evaluator that has actions, resource types and condition keys from the Service Authorization Reference. */
import assert from 'node:assert/strict';
import { runSimulation } from '@cloud-copilot/iam-simulate';

export interface IdentityPolicy {
  readonly name: string;
  readonly policy: unknown;
}

export interface Question {
  /** An ARN, or a service. */
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  /** The account that the resource is in. */
  readonly account: string;
  readonly context?: Readonly<Record<string, string | string[]>>;
  /** Of the principal. */
  readonly policies?: readonly IdentityPolicy[];
  readonly resourcePolicy?: unknown;
}

/** Fails on a question that AWS could not be asked: an unknown action, a resource of another type, a key it does not send. */
export async function judge(question: Question): Promise<'Allowed' | 'ImplicitlyDenied' | 'ExplicitlyDenied'> {
  const { principal, action, resource, account, context = {}, policies = [], resourcePolicy } = question;
  const asked = JSON.stringify([action, resource, context]);
  if (
    resourcePolicy === undefined &&
    wellAsked.has(asked) &&
    !policies.some((each) => mayNameIt(each.policy, action))
  ) {
    return 'ImplicitlyDenied';
  }
  const simulated = await runSimulation(
    {
      request: {
        principal,
        action,
        resource: { resource, accountId: account },
        contextVariables: { ...context },
      },
      identityPolicies: [...policies],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resourcePolicy !== undefined && { resourcePolicy }),
    },
    {},
  );
  if (simulated.resultType === 'error') assert.fail(`${action} ${resource}: ${JSON.stringify(simulated.errors)}`);
  for (const { ignoredContextKeys } of simulated.resultType === 'single' ? [simulated.result] : simulated.results) {
    // A key that AWS would not send must not be what decides.
    assert.deepEqual(ignoredContextKeys ?? [], [], `${action} knows no such condition keys`);
  }
  wellAsked.add(asked);
  return simulated.overallResult;
}

/** Questions that the evaluator has found to be well asked. It takes most of its time for that, whoever the principal is. */
const wellAsked = new Set<string>();

/** Whether a statement names the action, or anything by a wildcard. Where none does, the answer is known. */
function mayNameIt(policy: unknown, action: string): boolean {
  const { Statement } = policy as { Statement: Statement | readonly Statement[] };
  return [Statement].flat().some(({ Action }) =>
    // Without Action there is a NotAction.
    [Action ?? '*'].flat().some((name) => /[*?]/.test(name) || name.toLowerCase() === action.toLowerCase()),
  );
}

interface Statement {
  readonly Action?: string | readonly string[];
}
