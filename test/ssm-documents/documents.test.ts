import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { MOST_HOOK_BYTES } from '../../lambdas/inspect-host/hook-document.ts';
import {
  CONTRACT,
  DLM_PARAMETERS,
  DOCUMENT_PARAMETERS,
  HOST_ERRORS,
  HostFailure,
  PARAMETER_PATTERNS,
} from '../../lambdas/shared/contracts.ts';
import {
  bare,
  bodyOf,
  type DocumentNoun,
  readScript,
  renderDocuments,
  renderScript,
  scriptsOf,
  THAW_AT_ONCE,
  unpackedScript,
} from '../../lib/documents.ts';
import { withFunctions } from './fake-host.ts';

const documents = renderDocuments();
const NOUNS = Object.keys(documents) as DocumentNoun[];
const ALL_SCRIPTS = new Set([...NOUNS.flatMap(scriptsOf), THAW_AT_ONCE]);
/** Those that runs send. */
const OURS = Object.keys(DOCUMENT_PARAMETERS) as (keyof typeof DOCUMENT_PARAMETERS)[];
const linesOf = (noun: DocumentNoun) => documents[noun].mainSteps[0].inputs.runCommand;
const unpack = (noun: DocumentNoun): string => {
  const lines = linesOf(noun);
  const begin = lines.indexOf("PACKED='");
  return gunzipSync(Buffer.from(lines.slice(begin + 1, lines.indexOf("'", begin)).join(''), 'base64')).toString();
};

const scratch = mkdtempSync(join(tmpdir(), 'freezeframe-documents-'));
after(() => rmSync(scratch, { recursive: true }));

/** From a file, as the agent runs it: what comes through a pipe is read byte by byte. */
const bash = (script: string, ...options: string[]) => {
  const file = join(scratch, 'script');
  writeFileSync(file, script);
  return spawnSync('bash', [...options, file], { encoding: 'utf8', env: { PATH: process.env.PATH ?? '' } });
};

test('a document has less than the 64 KB that SSM takes, with room for every parameter', () => {
  for (const noun of NOUNS) {
    const bytes = Buffer.byteLength(JSON.stringify(documents[noun]));
    assert.ok(bytes < 56 * 1024, `${noun} has ${bytes} bytes`);
  }
});

test('the largest hook that is carried has its place in the 64 KB of a document with its parameters', () => {
  const hook = `${'n'.repeat(128)}:${Buffer.alloc(MOST_HOOK_BYTES).toString('base64')}`;
  assert.match(hook, new RegExp(PARAMETER_PATTERNS.Hook));
  for (const noun of ['inspect', 'freeze'] as const) {
    const bytes = Buffer.byteLength(JSON.stringify(documents[noun])) + hook.length;
    // The other parameters have less than 1 KB.
    assert.ok(bytes < 63 * 1024, `${noun} has ${bytes} bytes`);
  }
});

test('a document is one step for Linux, run by bash, with a time limit that the agent accepts', () => {
  for (const noun of NOUNS) {
    assert.equal(documents[noun].mainSteps.length, 1);
    const [step] = documents[noun].mainSteps;
    assert.equal(step.action, 'aws:runShellScript');
    assert.deepEqual(step.precondition, { StringEquals: ['platformType', 'Linux'] });
    assert.equal(linesOf(noun)[0], '#!/bin/bash');
    const seconds = Number(step.inputs.timeoutSeconds);
    assert.ok(seconds >= 5 && seconds <= 172_800);
  }
});

test('a document takes the parameters of the contract, each with its anchored pattern, each assigned once', () => {
  for (const noun of OURS) {
    assert.deepEqual(Object.keys(documents[noun].parameters), [...DOCUMENT_PARAMETERS[noun]]);
    for (const name of DOCUMENT_PARAMETERS[noun]) {
      const parameter = documents[noun].parameters[name];
      assert.equal(parameter?.type, 'String');
      assert.equal(parameter?.allowedPattern, PARAMETER_PATTERNS[name]);
      assert.match(parameter?.allowedPattern ?? '', /^\^.*\$$/);
      // SSM and the agent hold a default against it, too.
      if (parameter?.default !== undefined) assert.match(parameter.default, new RegExp(PARAMETER_PATTERNS[name]));
      assert.equal(linesOf(noun).filter((line) => line === `P_${name.toUpperCase()}='{{ ${name} }}'`).length, 1);
    }
  }
});

test('the document for Data Lifecycle Manager takes what that sends, and does nothing by default', () => {
  assert.deepEqual(documents.dlm.parameters, {
    executionId: {
      ...DLM_PARAMETERS.executionId,
      type: 'String',
      description: documents.dlm.parameters.executionId?.description,
    },
    command: { ...DLM_PARAMETERS.command, type: 'String', description: documents.dlm.parameters.command?.description },
  });
  assert.deepEqual(documents.dlm.parameters.command?.allowedValues, ['pre-script', 'post-script', 'dry-run']);
  assert.equal(documents.dlm.parameters.command?.default, 'dry-run');
  for (const id of ['None', '01234567-89ab-cdef-0123-456789abcdef'])
    assert.match(id, new RegExp(DLM_PARAMETERS.executionId.allowedPattern));
  assert.doesNotMatch("None'; id; '", new RegExp(DLM_PARAMETERS.executionId.allowedPattern));
});

test('nothing but the parameters is left for SSM to substitute', () => {
  for (const noun of NOUNS) {
    const places =
      linesOf(noun)
        .join('\n')
        .match(/\{\{.*?\}\}/g) ?? [];
    assert.deepEqual(
      places,
      Object.keys(documents[noun].parameters).map((name) => `{{ ${name} }}`),
    );
  }
  // An agent that unpacked would substitute too; and `{{` in a file would surprise whoever unpacks one day.
  for (const file of ALL_SCRIPTS) assert.ok(!readScript(file).includes('{{'), file);
});

test('a document carries every script of its own as it stands in the repository, but for comment lines and indentation', () => {
  for (const noun of NOUNS) {
    const unpacked = unpack(noun);
    for (const file of scriptsOf(noun))
      assert.ok(unpacked.includes(bare(bodyOf(readScript(file)))), `${noun} lacks ${file}`);
  }
  const there = readdirSync(new URL('../../ssm-documents/linux', import.meta.url), {
    recursive: true,
    encoding: 'utf8',
  });
  assert.deepEqual(there.filter((file) => file.endsWith('.sh')).sort(), [...ALL_SCRIPTS].sort());
});

test('without comment lines and indentation a script is the same to bash', () => {
  const says = (script: string) => {
    // Functions and variables as bash has understood them; what main.sh would start is left out.
    const { stdout, stderr, status } = bash(`${script.replace(/^case \$\{1:-document\}[\s\S]*/m, '')}\ndeclare -f\n`);
    assert.equal(status, 0, stderr);
    // A string over several lines is printed as it stands.
    return stdout.replace(/^[ \t]+/gm, '');
  };
  for (const noun of ['freeze', 'restore', 'verify'] as const) {
    const whole = says(unpackedScript(noun));
    assert.ok(whole.length > 15_000);
    assert.equal(says(bare(unpackedScript(noun))), whole);
  }
});

test('a rendered script is bash, packed and unpacked', () => {
  const parameters = {
    executionId: 'None',
    command: 'dry-run',
    Apps: 'auto',
    Run: 'r',
    Mode: 'app-only',
    Lease: '30',
    Within: '10',
    NotAfter: '1',
    Why: 'asked',
    Restore: 'r',
    Act: 'mount',
    Access: 'ro',
    Under: '/mnt/freezeframe',
    Plan: 'dm9sdW1lCg==',
    Minutes: '240',
  };
  const hashes = { BootId: '0'.repeat(36), Topology: '0'.repeat(64) };
  for (const noun of NOUNS) {
    for (const script of [renderScript(noun, { ...parameters, ...hashes }), unpack(noun)]) {
      const { status, stderr } = bash(script, '-n');
      assert.equal(status, 0, stderr);
    }
  }
});

test('a parameter that its pattern refuses renders nothing', () => {
  assert.throws(() => renderScript('inspect', { Apps: "a'; id; '" }), /parameter Apps/);
  assert.throws(() => renderScript('inspect', {}), /parameter Apps/);
});

test('a host without gzip says so, instead of ending without an answer', () => {
  const { status, stdout } = bash(`gzip() { return 127; }\n${renderScript('inspect', { Apps: 'auto' })}`);
  assert.equal(status, HOST_ERRORS.HostUnfit);
  assert.equal(HostFailure.parse(JSON.parse(stdout)).error.code, 'HostUnfit');
});

test('every error of the contract ends the document with its own exit code and one JSON document', () => {
  const acts = Object.keys(HOST_ERRORS).map((name) => `(fail ${name} 'say "what" to do') && :; echo "$?"`);
  const { stdout } = bash(withFunctions(acts.join('\n')));
  const lines = stdout.trim().split('\n');
  for (const [index, [name, code]] of Object.entries(HOST_ERRORS).entries()) {
    const [answer = '', status] = lines.slice(2 * index);
    assert.deepEqual(JSON.parse(answer), { contract: CONTRACT, error: { code: name, message: 'say "what" to do' } });
    assert.equal(Number(status), code, name);
  }
  assert.equal(lines.length, 2 * acts.length);
});

test('an exit code is never one that the agent has a use for', () => {
  for (const code of Object.values(HOST_ERRORS)) assert.ok(code >= 10 && code <= 40);
});

test('Thaw tells the holder of its own run, and lays the tombstone, before it is unpacked', () => {
  const run = mkdtempSync(join(scratch, 'run-'));
  mkdirSync(join(run, 'active'));
  mkdirSync(join(run, 'tombstones'));
  writeFileSync(join(run, 'active/run'), 'held\n');
  spawnSync('mkfifo', [join(run, 'active/control')]);
  // A pipe that nobody has open forgets what is in it.
  const control = openSync(join(run, 'active/control'), constants.O_RDWR | constants.O_NONBLOCK);
  const saidBy = (id: string) => {
    const thaw = renderScript('thaw', { Run: id, Why: 'asked' });
    assert.equal(bash(`FF_RUN=${run}\ngzip() { return 127; }\n${thaw}`).status, HOST_ERRORS.HostUnfit);
    const bytes = Buffer.alloc(100);
    try {
      return bytes.toString('utf8', 0, readSync(control, bytes));
    } catch {
      return '';
    }
  };
  assert.equal(saidBy('another'), '');
  assert.deepEqual(readdirSync(join(run, 'tombstones')), []);
  assert.equal(saidBy('held'), 'asked held\n');
  assert.deepEqual(readdirSync(join(run, 'tombstones')), ['held']);
  closeSync(control);
});
