import { ANSWER_SECONDS, DELIVERY_SECONDS, FREEZE_SEND, RESERVE_SECONDS } from '../shared/budget.ts';
import type { Clock } from '../shared/clock.ts';
import { type DOCUMENT_PARAMETERS, FreezeAnswer, type Frozen, hookParameter, type Run } from '../shared/contracts.ts';
import { BadInputError, LeaseTooShortError, TurnOverError, UnexpectedAnswerError } from '../shared/errors.ts';
import { DOCUMENTS } from '../shared/names.ts';
import { type CommandChannel, runCommand, throughThrottles, URGENT } from '../shared/run-command.ts';

/** Freezes the host and comes back as soon as it is frozen; from then on its lease runs. */
export const freeze = async (run: Run, host: CommandChannel, clock: Clock): Promise<Frozen> => {
  if (run.mode === 'crash') throw new BadInputError('mode is "crash": there is nothing to freeze in it');
  const leaseMs = run.policy.leaseSeconds * 1_000;

  // Nothing is frozen yet, so a throttle costs no more than its time here.
  const { answer, sentAt, answeredAt } = await throughThrottles(clock, FREEZE_SEND, () => {
    refuseLate(run, clock.now() + DELIVERY_SECONDS * 1_000 + leaseMs);
    return runCommand(
      host,
      clock,
      {
        document: DOCUMENTS.freeze,
        pinned: run.documents.freeze,
        instanceId: run.instanceId,
        parameters: freezeParameters(run, clock.now()),
        comment: `Freezeframe run ${run.run}`,
      },
      FreezeAnswer,
      leaseMs,
      URGENT,
    );
  });

  const { receipt } = answer;
  if (receipt.run !== run.run || receipt.frozenAt === null) {
    throw new UnexpectedAnswerError(
      `the host says that run ${receipt.run} froze it at ${receipt.frozenAt}, but ${run.run} was to do so now: is another Freezeframe at work there?`,
    );
  }
  const leftSeconds = (sentAt + leaseMs - answeredAt) / 1_000;
  if (leftSeconds < RESERVE_SECONDS - ANSWER_SECONDS) {
    throw new LeaseTooShortError(
      `the host was frozen after ${((answeredAt - sentAt) / 1_000).toFixed(1)} s, which leaves ${leftSeconds.toFixed(1)} s of the lease of ${run.policy.leaseSeconds} s, too little for a set (${RESERVE_SECONDS - ANSWER_SECONDS} s); raise freeze.leaseSeconds of the policy, or look at what made the freeze slow`,
    );
  }
  return { sentAt, answeredAt, receipt };
};

/** `thawedAt`: when this freeze is over at the latest, whatever happens. Its group may belong to another member by then. */
const refuseLate = ({ instanceId, turn }: Run, thawedAt: number): void => {
  if (turn?.freezeBefore === undefined || thawedAt <= turn.freezeBefore) return;
  throw new TurnOverError(
    `the turn of ${instanceId} is over at ${new Date(turn.freezeBefore).toISOString()}, and a freeze now could last until ${new Date(thawedAt).toISOString()}, when another member of its group may be frozen; look at what kept Inspect host and Rehearse so long`,
  );
};

/** Times in the host's own clock, so that nobody's wall clock matters. */
export const freezeParameters = (run: Run, now: number): FreezeParameters => {
  // The host's clock read at most this when Inspect was sent, so it reads at most this now: late is refused, early is not.
  const hostUptime = run.clock.uptime + (now - run.clock.sentAt) / 1_000;
  return {
    Run: run.run,
    Mode: run.mode,
    Apps: run.apps.length ? run.apps.join(',') : 'none',
    Lease: String(run.policy.leaseSeconds),
    Within: String(run.policy.leaseSeconds - RESERVE_SECONDS),
    NotAfter: String(Math.floor(hostUptime) + DELIVERY_SECONDS),
    BootId: run.clock.bootId,
    Topology: run.topology.topologyHash,
    ...hookParameter(run.hook),
  };
};

type FreezeParameter = (typeof DOCUMENT_PARAMETERS)['freeze'][number];
type FreezeParameters = Record<Exclude<FreezeParameter, 'Hook'>, string> & { Hook?: string };
