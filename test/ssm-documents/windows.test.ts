/**
 * The document for Windows, as far as it can be tried where there is no Windows and no PowerShell: the grammar that editors
 * use reads it, and what it read is held against the contract and against what the script promises.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import type { Node } from '@vscode/tree-sitter-wasm';
import { HOST_ERRORS, WindowsAnswer } from '../../lambdas/shared/contracts.ts';
import { readInspectWindows, renderInspectWindows } from '../../lib/windows-document.ts';
import { windowsAnswer } from '../support/model-windows.ts';

// To compile the grammar well takes ten times as long as to run it once.
for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag);
const require = createRequire(import.meta.url);
const { Parser, Language } = require('@vscode/tree-sitter-wasm') as typeof import('@vscode/tree-sitter-wasm');
const wasm = dirname(require.resolve('@vscode/tree-sitter-wasm'));
await Parser.init({ locateFile: (file: string) => join(wasm, file) });
const parser = new Parser();
parser.setLanguage(await Language.load(join(wasm, 'tree-sitter-powershell.wasm')));

const parse = (source: string): Node => {
  const tree = parser.parse(source);
  assert.ok(tree);
  return tree.rootNode;
};
const all = (node: Node, type: string): Node[] => [
  ...(node.type === type ? [node] : []),
  ...node.children.flatMap((child) => (child ? all(child, type) : [])),
];

const script = readInspectWindows();
const root = parse(script);
const functions = all(root, 'function_name').map(({ text }) => text);
/** The text of a function, to look into one alone. */
const functionNamed = (name: string): Node => {
  const found = all(root, 'function_statement').find((each) => all(each, 'function_name')[0]?.text === name);
  assert.ok(found, name);
  return found;
};
const keysIn = (node: Node): string[] => all(node, 'key_expression').map(({ text }) => text);

describe('the script of InspectWindows', () => {
  it('is PowerShell, as its grammar has it', () => assert.equal(root.hasError, false));
  it('is read by a parser that knows a mistake when it sees one', () => {
    for (const wrong of ['if ($a -eq 1 { 2 }', '@{ a = 1', "'text", 'foreach ($a in 1) { ', 'function A { 1']) {
      assert.equal(parse(wrong).hasError, true, wrong);
    }
  });

  it('changes nothing: its commands only read, but for its own functions', () => {
    const READS = /^(Get-\w+|Where-Object|Select-Object|New-TimeSpan|ConvertTo-Json)$/;
    const foreign = all(root, 'command_name')
      .map(({ text }) => text)
      .filter((name) => !functions.includes(name));
    assert.ok(foreign.length > 10);
    assert.deepEqual(
      foreign.filter((name) => !READS.test(name)),
      [],
    );
  });

  it('starts two programs, and has them list', () => {
    const programs = all(root, 'command')
      .filter((command) => all(command, 'command_invokation_operator').length > 0)
      .map(({ text }) => text.replace(/^.*\\/, '').trim());
    assert.deepEqual(programs.sort(), ['diskpart.exe"', 'vssadmin.exe" list writers']);
    assert.equal(script.match(/diskpart/g)?.length, 2);
    assert.ok(script.includes("'list disk' | &"));
  });

  it('writes to no file', () => assert.deepEqual(all(root, 'redirection'), []));

  it('calls no method and names no type of .NET but int and string, as ConstrainedLanguage asks', () => {
    assert.deepEqual(all(root, 'invokation_expression'), []);
    assert.deepEqual(
      [...new Set(all(root, 'type_identifier').map(({ text }) => text))].filter((n) => !['int', 'string'].includes(n)),
      [],
    );
  });

  it('is of letters that every code page of Windows has', () => assert.match(script, /^[\x20-\x7e\n]*$/));

  it('says nothing else than its answer', () => assert.doesNotMatch(script, /Write-(Host|Output|Warning|Verbose)/));

  it('fails with codes of the contract', () => {
    const failures = [...script.matchAll(/Write-Failure (\d+) '(\w+)'/g)].map(([, exit, code]) => [code, Number(exit)]);
    assert.ok(failures.length > 0);
    for (const [code, exit] of failures) assert.equal(HOST_ERRORS[code as keyof typeof HOST_ERRORS], exit);
  });
});

describe('what it answers has the fields of the contract', () => {
  const shape = WindowsAnswer.def.shape;
  const elementOf = (list: keyof typeof shape): string[] =>
    Object.keys((shape[list] as { def: { element: { def: { shape: object } } } }).def.element.def.shape).sort();

  it('at the top', () => {
    const assigned = [...functionNamed('Write-Answer').text.matchAll(/\$answer\.(\w+) = /g)].map(([, key]) => key);
    assert.deepEqual(
      [...new Set([...keysIn(functionNamed('Get-HostFacts')), ...assigned])].sort(),
      Object.keys(shape).sort(),
    );
  });
  for (const [list, name] of [
    ['disks', 'Get-DiskFacts'],
    ['volumes', 'Get-VolumeFacts'],
    ['pools', 'Get-PoolFacts'],
    ['writers', 'Get-WriterFacts'],
    ['services', 'Get-ServiceFacts'],
    ['sqlServers', 'Get-SqlServerFacts'],
  ] as const) {
    it(`in ${list}`, () => assert.deepEqual(keysIn(functionNamed(name)).sort(), elementOf(list)));
  }
  it('as the model of a host answers', () =>
    assert.ok(WindowsAnswer.safeParse(windowsAnswer(['vol-1', 'vol-2', 'vol-3'])).success));
});

describe('what vssadmin lists is read in every language', () => {
  // The patterns of the script, on what Windows prints; PowerShell's are those of .NET, which agree with these.
  const [name, state, error] = [...functionNamed('Get-WriterFacts').text.matchAll(/-match '((?:[^']|'')+)'/g)].map(
    ([, pattern = '']) => new RegExp(pattern.replaceAll("''", "'"), 'i'),
  ) as [RegExp, RegExp, RegExp];
  const LISTS = {
    English: [
      "Writer name: 'SqlServerWriter'",
      '   Writer Id: {a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}',
      '   State: [1] Stable',
      '   Last error: No error',
    ],
    German: [
      'Verfassername: "SqlServerWriter"',
      '   Verfasserkennung: {a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}',
      '   Status: [1] Stabil',
      '   Letzter Fehler: Kein Fehler',
    ],
  };
  for (const [language, [first = '', id = '', third = '', last = '']] of Object.entries(LISTS)) {
    it(language, () => {
      assert.equal(name.exec(first)?.[1], 'SqlServerWriter');
      assert.equal(name.exec(id), null);
      assert.equal(state.exec(id), null);
      assert.equal(state.exec(third)?.[1], '1');
      assert.match(error.exec(last)?.[1] ?? '', /^(No error|Kein Fehler)$/);
    });
  }
});

describe('the document of InspectWindows', () => {
  const document = renderInspectWindows();
  const [step] = document.mainSteps;

  it('carries the script as it stands', () => assert.equal(`${step.inputs.runCommand.join('\n')}\n`, script));
  it('is smaller than SSM allows', () => assert.ok(Buffer.byteLength(JSON.stringify(document)) < 64 * 1024));
  it('takes no parameter, so that none can become code', () => {
    assert.deepEqual(document.parameters, {});
    assert.doesNotMatch(script, /\{\{/);
  });
  it('runs on Windows alone, for less long than its run waits for it', () => {
    assert.deepEqual(step.precondition, { StringEquals: ['platformType', 'Windows'] });
    assert.ok(Number(step.inputs.timeoutSeconds) < 90);
  });
});
