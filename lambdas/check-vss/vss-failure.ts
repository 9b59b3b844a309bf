/**
 * What AWS's document says when it fails, by the names of the workflow. Of its output only a few sentences are documented
 * (EC2 user guide, Troubleshoot Windows VSS based EBS snapshots), so the names go by these, and by what does not change
 * with version or language: the codes of VSS (vsserror.h) and of EC2. What has none of them is VssFailedError, with the
 * output as it is. No grade depends on any of it.
 */
import {
  AgentOfflineError,
  CommandCancelledError,
  CommandTimeoutError,
  HostError,
  NotPermittedError,
  ThrottledError,
  UnsupportedPlatformError,
  VssBusyError,
  VssComponentsMissingError,
  VssFailedError,
  VssNotPermittedError,
  VssTimeoutError,
  VssWriterFailedError,
} from '../shared/errors.ts';
import { VSS_INSTANCE_POLICY } from '../shared/names.ts';

interface Sign {
  said: RegExp;
  failure: (on: string, said: string) => Error;
  /** Often gone a moment later: worth another try. */
  passing: boolean;
}

const SIGNS: readonly Sign[] = [
  {
    // FLUSH_WRITES_TIMEOUT, HOLD_WRITES_TIMEOUT
    said: /0x8004231[34]|Thaw pipe connection timed out|error on thaw|timeout waiting for VSS Freeze/i,
    failure: (on, said) =>
      new VssTimeoutError(
        `${on}: Windows could not flush and hold all writes in its ten seconds; run it at an hour with less I/O, or give the volumes more throughput${said}`,
      ),
    passing: true,
  },
  {
    // VSS_E_WRITERERROR_TIMEOUT, _RETRYABLE, _OUTOFRESOURCES, _INCONSISTENTSNAPSHOT, _PARTIAL_FAILURE
    said: /0x800423f[0-3]|0x80042336/i,
    failure: writerFailed,
    passing: true,
  },
  // VSS_E_WRITERERROR_NONRETRYABLE, VSS_E_WRITER_NOT_RESPONDING
  { said: /0x800423f4|0x80042319/i, failure: writerFailed, passing: false },
  {
    // VSS_E_SNAPSHOT_SET_IN_PROGRESS
    said: /0x80042316/i,
    failure: (on, said) =>
      new VssBusyError(
        `${on}: another shadow copy is being made on the host; find out what else backs it up at this hour${said}`,
      ),
    passing: true,
  },
  {
    said: /UnauthorizedOperation|not authorized to perform/i,
    failure: (on, said) =>
      new VssNotPermittedError(
        `${on}: the role of the instance may not take its snapshots; attach the policy ${VSS_INSTANCE_POLICY}-… to it${said}`,
      ),
    passing: false,
  },
  {
    said: /(AwsVssComponents|ec2-vss-agent).{0,80}(not found|not installed|not recognized|missing|fail)|(install|find).{0,80}AwsVssComponents/is,
    failure: (on, said) =>
      new VssComponentsMissingError(
        `${on}: AwsVssComponents are missing or could not be installed; install them with the document AWS-ConfigureAWSPackage${said}`,
      ),
    passing: false,
  },
  {
    said: /in this language mode/i,
    failure: (on, said) =>
      new HostError(
        'LanguageModeRestricted',
        `${on}: PowerShell does not run in FullLanguage; let AppLocker or Device Guard trust the scripts of the SSM agent${said}`,
      ),
    passing: false,
  },
];

function writerFailed(on: string, said: string): Error {
  return new VssWriterFailedError(
    `${on}: a VSS writer failed; vssadmin list writers on the host shows which one, restart its service${said}`,
  );
}

/** The error that a command's end stands for. */
export const vssFailure = (on: string, details: string, output: string): Error => {
  switch (details) {
    case 'Failed':
      return signOf(output)?.failure(on, quoted(output)) ?? new VssFailedError(`${on} failed${quoted(output)}`);
    case 'ExecutionTimedOut':
    case 'TimedOut':
      return new CommandTimeoutError(`the agent ended ${on}: it took longer than it may${quoted(output)}`);
    case 'DeliveryTimedOut':
    case 'Undeliverable':
      return new AgentOfflineError(`${on} did not reach the host; start the service AmazonSSMAgent there`);
    case 'Cancelled':
      return new CommandCancelledError(`somebody cancelled ${on}; find out who in CloudTrail (CancelCommand)`);
    case 'AccessDenied':
      return new NotPermittedError(
        `${on} was refused: the role may send it only to instances with the policy tag; was the tag just removed?`,
      );
    case 'InvalidPlatform':
      return new UnsupportedPlatformError(`${on} was refused: the document is for Windows`);
    case 'RateExceeded':
      return new ThrottledError(`${on} was refused: the account has too many commands pending; try again later`);
    default:
      return new VssFailedError(`${on} ended as ${details}${quoted(output)}`);
  }
};

export const isPassingFailure = (details: string, output: string): boolean =>
  details === 'Failed' && (signOf(output)?.passing ?? false);

const signOf = (output: string): Sign | undefined => SIGNS.find(({ said }) => said.test(output));

const quoted = (output: string): string =>
  output.trim() ? `; it said ${JSON.stringify(output.trim().slice(-400))}` : '';
