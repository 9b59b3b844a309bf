import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import {
  CONTRACT,
  DLM_PARAMETERS,
  DOCUMENT_PARAMETERS,
  HOST_ERRORS,
  PARAMETER_DEFAULTS,
  PARAMETER_PATTERNS,
  type ParameterName,
} from '../lambdas/shared/contracts.ts';

/**
 * Puts the SSM documents together. Every document that freezes or thaws carries every script of that, byte for byte but for comment lines and
 * indentation: Freeze
 * puts them into /run and starts the holder and the watchdog from there. They are packed, since SSM takes 64 KB a
 * document and the scripts are larger.
 */
export const renderDocuments = (): Record<DocumentNoun, CommandDocument> => ({
  inspect: renderDocument('inspect'),
  freeze: renderDocument('freeze'),
  thaw: renderDocument('thaw'),
  restore: renderDocument('restore'),
  verify: renderDocument('verify'),
  dlm: renderDocument('dlm'),
});

/** The documents that runs send, and the one that Data Lifecycle Manager sends. */
export type DocumentNoun = keyof typeof DOCUMENT_PARAMETERS | 'dlm';

interface DocumentParameter {
  readonly type: 'String';
  readonly description: string;
  readonly default?: string;
  readonly allowedPattern?: string;
  readonly allowedValues?: readonly string[];
}

export interface CommandDocument {
  readonly schemaVersion: '2.2';
  readonly description: string;
  readonly parameters: Record<string, DocumentParameter>;
  readonly mainSteps: readonly [
    {
      readonly action: 'aws:runShellScript';
      readonly name: string;
      readonly precondition: { readonly StringEquals: readonly ['platformType', 'Linux'] };
      readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] };
    },
  ];
}

/** The document's script as an instance gets it, with its parameters filled in: for tests, and for a host at hand. */
export const renderScript = (noun: DocumentNoun, parameters: Readonly<Record<string, string>>): string =>
  scriptOf(noun).replace(/\{\{ (\w+) \}\}/g, (_, name: string) => {
    const { allowedPattern, allowedValues, default: usual } = parametersOf(noun)[name] ?? {};
    const expected = allowedPattern ?? `^(${allowedValues?.join('|')})$`;
    const value = parameters[name] ?? usual;
    if (value === undefined || !new RegExp(expected).test(value)) {
      throw new Error(`parameter ${name} of document ${noun} is ${value}; expected ${expected}`);
    }
    return value;
  });

/** What is packed into a document, as it stands in the repository. */
export const unpackedScript = (noun: DocumentNoun): string =>
  scriptsOf(noun)
    .map((file) => bodyOf(readScript(file)))
    .join('\n');

/** The scripts that a document carries. */
export const scriptsOf = (noun: DocumentNoun): readonly string[] => {
  if (noun === 'restore') return RESTORE_SCRIPTS;
  return noun === 'verify' ? VERIFY_SCRIPTS : SCRIPTS;
};

/** What a restore needs: how the host is read, and what is done to restored volumes. It freezes nothing. */
export const RESTORE_SCRIPTS: readonly string[] = [
  'common.sh',
  'errors.sh',
  'json.sh',
  'blocks.sh',
  'mounts.sh',
  'arrays.sh',
  'volume-groups.sh',
  'restore-devices.sh',
  'restore-layers.sh',
  'restore-mounts.sh',
  'restore-places.sh',
  'restore.sh',
  'main.sh',
];

/** What a verification needs: what is mounted, the boxes, and a verifier for each engine. It freezes nothing either. */
export const VERIFY_SCRIPTS: readonly string[] = [
  'common.sh',
  'errors.sh',
  'json.sh',
  'blocks.sh',
  'mounts.sh',
  // Whose executables may be run as root is one rule.
  'apps/hooks.sh',
  'verify.sh',
  'verify-filesystems.sh',
  'verify-box.sh',
  'verify-checks.sh',
  ...scriptsIn('verifiers'),
  'main.sh',
];

/** What Thaw does before it unpacks itself, as it stands in the repository. */
export const THAW_AT_ONCE = 'thaw-at-once.sh';

/** The scripts in reading order: what all share, what the host is, what is done to it, who does it. */
export const SCRIPTS: readonly string[] = [
  'common.sh',
  'errors.sh',
  'json.sh',
  'blocks.sh',
  'mounts.sh',
  'arrays.sh',
  'volume-groups.sh',
  'filesystems.sh',
  'freezable.sh',
  'faults.sh',
  'topology.sh',
  'modes.sh',
  'acts.sh',
  'freezes.sh',
  'settling.sh',
  'lvm-snapshots.sh',
  'apps.sh',
  'processes.sh',
  'containers.sh',
  'secrets.sh',
  'clients.sh',
  'keepers.sh',
  'receipt.sh',
  ...scriptsIn('apps'),
  'inspect.sh',
  'freeze.sh',
  'holder.sh',
  'watchdog.sh',
  'thaw.sh',
  'dlm.sh',
  'main.sh',
];

/** A function of the old kind, since the lists above begin with it. */
function scriptsIn(folder: string): string[] {
  return readdirSync(new URL(`../ssm-documents/linux/${folder}/`, import.meta.url))
    .filter((file) => file.endsWith('.sh'))
    .sort()
    .map((file) => `${folder}/${file}`);
}

export const readScript = (file: string): string =>
  readFileSync(new URL(`../ssm-documents/linux/${file}`, import.meta.url), 'utf8');

const SHEBANG = '#!/bin/bash\n';

export const bodyOf = (script: string): string => (script.startsWith(SHEBANG) ? script.slice(SHEBANG.length) : script);

/**
 * Seconds a step may take before the agent kills it. Freeze waits out the longest lease there is, and a little; Restore
 * replays logs and merges LVM snapshots on volumes that are still read from S3, as long as its function can wait.
 */
const TIMEOUT_SECONDS: Record<DocumentNoun, number> = {
  inspect: 60,
  freeze: 330,
  thaw: 120,
  restore: 840,
  // Longer than any number of `Minutes`.
  verify: 61_200,
  dlm: 120,
};

const DESCRIPTIONS: Record<DocumentNoun, string> = {
  inspect: 'Freezeframe: tells what a freeze would do on this host, and in which order. Changes nothing.',
  freeze: 'Freezeframe: quiets the applications and file systems of this host until Thaw, at most for the lease.',
  thaw: 'Freezeframe: releases what Freeze holds on this host and tells what was proven. Safe at any time.',
  restore: 'Freezeframe: mounts what lies on restored volumes, or lets go of it; swaps the volumes of a host for them.',
  verify: 'Freezeframe: checks file systems and databases that Restore has mounted. Writes to that copy alone.',
  dlm: 'Freezeframe: pre and post script for Amazon Data Lifecycle Manager.',
};

const PARAMETER_DESCRIPTIONS: Record<ParameterName | keyof typeof DLM_PARAMETERS, string> = {
  Run: 'Id of the run: the name of its Backup execution.',
  Apps: 'Drivers of the applications to quiet, separated by commas; or auto, or none.',
  Mode: 'How to quiet the host.',
  Lease: 'Seconds after which the host thaws itself.',
  Within: 'Seconds that freezing may take.',
  NotAfter: 'Uptime of the host in seconds after which a late freeze refuses to start.',
  BootId: 'Boot id of the host as Inspect saw it.',
  Topology: 'Hash of the topology as Inspect saw it.',
  Why: 'Who asks for the thaw: asked (after the set), or another, who knows of none.',
  Restore: 'Id of the restore: the name of its execution.',
  Act: 'Prepare the host for the volumes, mount what lies on them, release it; vacate a place, or occupy it.',
  Access: 'Mount read-only or read-write.',
  Under: 'Directory under which the restore gets a directory of its own.',
  Plan: 'What is restored, or verified, in base64.',
  Minutes: 'Minutes that all checks together may take.',
  Hook: "Name and script of the user's own document that is one more hook, the script in base64; or none.",
  executionId: 'Id that Data Lifecycle Manager gives an execution.',
  command: 'Which of its scripts Data Lifecycle Manager runs; dry-run changes nothing.',
};

const renderDocument = (noun: DocumentNoun): CommandDocument => ({
  schemaVersion: '2.2',
  description: DESCRIPTIONS[noun],
  parameters: parametersOf(noun),
  mainSteps: [
    {
      action: 'aws:runShellScript',
      name: noun,
      precondition: { StringEquals: ['platformType', 'Linux'] },
      inputs: { timeoutSeconds: String(TIMEOUT_SECONDS[noun]), runCommand: scriptOf(noun).trimEnd().split('\n') },
    },
  ],
});

const parametersOf = (noun: DocumentNoun): Record<string, DocumentParameter> =>
  noun === 'dlm'
    ? {
        executionId: { type: 'String', description: PARAMETER_DESCRIPTIONS.executionId, ...DLM_PARAMETERS.executionId },
        command: { type: 'String', description: PARAMETER_DESCRIPTIONS.command, ...DLM_PARAMETERS.command },
      }
    : Object.fromEntries(
        DOCUMENT_PARAMETERS[noun].map((name) => [
          name,
          {
            type: 'String',
            description: PARAMETER_DESCRIPTIONS[name],
            ...(name in PARAMETER_DEFAULTS && { default: PARAMETER_DEFAULTS[name as keyof typeof PARAMETER_DEFAULTS] }),
            allowedPattern: PARAMETER_PATTERNS[name],
          },
        ]),
      );

/**
 * Not readable as the agent shows it, so the script says how to read it. Unpacked in memory: no file, no here-document.
 * Freeze hands SCRIPT on to the roles in /run.
 */
const scriptOf = (noun: DocumentNoun): string => `#!/bin/bash
# shellcheck disable=SC2034 # for the packed scripts
# Freezeframe, document ${noun}, host contract ${CONTRACT}.
# The scripts are those of ssm-documents/linux; to read them, unpack the text between the quotes: base64 -d | gzip -d
set -Eeuo pipefail
DOCUMENT=${noun}
${Object.keys(parametersOf(noun))
  .map((name) => `P_${name.toUpperCase()}='{{ ${name} }}'`)
  .join('\n')}
${noun === 'thaw' ? bodyOf(readScript(THAW_AT_ONCE)) : ''}PACKED='
${packed(noun)}
'
SCRIPT=$(printf '%s' "$PACKED" | base64 -d | gzip -dc) || {
  echo '{"contract":${CONTRACT},"error":{"code":"HostUnfit","message":"base64 or gzip is missing; install coreutils and gzip"}}'
  exit ${HOST_ERRORS.HostUnfit}
}
eval "$SCRIPT"
`;

/**
 * Comment lines and indentation are for whoever reads the repository; without them there is room for more drivers. No
 * string that goes over several lines may mind blanks at their beginning.
 */
export const bare = (script: string): string => script.replace(/^[ \t]*#.*\n/gm, '').replace(/^[ \t]+/gm, '');

const packed = (noun: DocumentNoun): string =>
  gzipSync(bare(unpackedScript(noun)), { level: 9 })
    .toString('base64')
    // A line costs three characters in the document.
    .replace(/.{1000}/g, '$&\n')
    .trimEnd();
