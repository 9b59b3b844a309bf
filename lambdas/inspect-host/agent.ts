import { AgentMissingError, AgentOfflineError, AgentTooOldError, UnsupportedPlatformError } from '../shared/errors.ts';

export interface Agent {
  version: string;
  ping: string;
  platform: string;
}

/**
 * Below this, Run Command could delay executions for up to 15 minutes (amazon-ssm-agent RELEASENOTES, 3.1.338.0), and a
 * thaw must not. Nothing newer is needed: the documents check every parameter by `allowedPattern` and do not rely on
 * ENV_VAR interpolation (3.3.2746.0).
 */
const OLDEST_AGENT = '3.1.338.0';

export const refuseAgent = (instanceId: string, agent: Agent | undefined, expected: 'Linux' | 'Windows'): void => {
  if (!agent) {
    throw new AgentMissingError(
      `SSM does not know ${instanceId}: install amazon-ssm-agent, give the instance a role with AmazonSSMManagedInstanceCore, and a way to the SSM endpoints`,
    );
  }
  // Can be minutes old either way; that the agent answers is proven by Inspect itself.
  if (agent.ping !== 'Online') {
    throw new AgentOfflineError(
      `the SSM agent of ${instanceId} is ${agent.ping}; on the host: systemctl restart amazon-ssm-agent, then look at its log`,
    );
  }
  if (agent.platform !== expected) {
    throw new UnsupportedPlatformError(
      `${instanceId} runs ${agent.platform} as its SSM agent says, and ${expected} as EC2 says; only Linux and Windows can be quieted`,
    );
  }
  if (isOlder(agent.version, OLDEST_AGENT)) {
    throw new AgentTooOldError(
      `the SSM agent of ${instanceId} is ${agent.version}, and before ${OLDEST_AGENT} a command could be minutes late; update it with the document AWS-UpdateSSMAgent`,
    );
  }
};

/** Versions as numbers with dots between them. */
export const isOlder = (version: string, than: string): boolean => {
  const [ours, floor] = [version, than].map((text) => text.split('.').map(Number));
  for (const [place, least] of (floor ?? []).entries()) {
    const part = ours?.[place] ?? 0;
    if (part !== least) return !(part > least);
  }
  return false;
};
