/** The document for Data Lifecycle Manager: its exit codes (AWS's guide names them), on hosts made of files. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { renderScript } from '../../lib/documents.ts';
import { FakeHost, withFunctions } from './fake-host.ts';
import { StubHost } from './stub-host.ts';

describe('Data Lifecycle Manager', { concurrency: 2 }, () => {
  const hosts: StubHost[] = [];
  after(() => {
    for (const host of hosts) host.dispose();
  });
  const host = () => {
    const made = new StubHost();
    hosts.push(made);
    return made;
  };

  it('a pre script freezes, its post script thaws, and both say so', async () => {
    const [server, id] = [host(), randomUUID()];
    assert.equal(await server.dlm('pre-script', id), 0, server.said.join('\n'));
    assert.deepEqual(server.frozen, { inner: `dlm-${id}`, outer: `dlm-${id}` });
    assert.ok(server.locked);
    assert.equal(await server.dlm('post-script', id), 0, server.said.join('\n'));
    assert.ok(await server.becomesClear(5_000));
    const receipt = server.receiptOf(`dlm-${id}`);
    assert.deepEqual([receipt?.thawedBy, receipt?.mode, receipt?.leaseSeconds], ['asked', 'fs-freeze', 60]);
  });

  it('a second pre script is told that the host is frozen (204), and harms nothing', async () => {
    const [server, id] = [host(), randomUUID()];
    assert.equal(await server.dlm('pre-script', id), 0);
    assert.equal(await server.dlm('pre-script', id), 204);
    assert.equal(await server.dlm('pre-script', randomUUID()), 204);
    assert.equal(await server.dlm('post-script', id), 0);
  });

  it('a post script of nothing, or a second one, is told that nothing is frozen (205)', async () => {
    const [server, id] = [host(), randomUUID()];
    assert.equal(await server.dlm('post-script', randomUUID()), 205);
    assert.equal(await server.dlm('pre-script', id), 0);
    assert.equal(await server.dlm('post-script', id), 0);
    assert.equal(await server.dlm('post-script', id), 205);
  });

  it('a host that thawed by itself before the post script says so (203)', async () => {
    const [server, id] = [host(), randomUUID()];
    assert.equal(await server.dlm('pre-script', id), 0);
    server.kill('holder');
    assert.ok(await server.becomesClear(5_000));
    assert.equal(await server.dlm('post-script', id), 203);
  });

  it('a lock that was lost before the post script is no success (203)', async () => {
    const [server, id] = [host(), randomUUID()];
    assert.equal(await server.dlm('pre-script', id), 0);
    server.kill('keeper');
    assert.equal(await server.dlm('post-script', id), 203);
    assert.ok(await server.becomesClear(5_000));
  });

  it('a pre script that fails (201) leaves nothing frozen, and may be tried again', async () => {
    const [server, id] = [host(), randomUUID()];
    server.freezeByHand('outer');
    assert.equal(await server.dlm('pre-script', id), 201);
    assert.ok(await server.becomesClear(5_000));
    server.thawByHand('outer');
    assert.equal(await server.dlm('pre-script', id), 0, server.said.join('\n'));
    assert.equal(await server.dlm('post-script', id), 0);
    assert.equal(server.receiptOf(`dlm-${id}-2`)?.thawedBy, 'asked');
  });

  it('a write that reached a frozen device is no success (203)', () => {
    using server = new FakeHost();
    const counted = (atFreeze: number, atThaw: number | null) => {
      const writes = [
        { device: 'dm-0', atFreeze: 7, atThaw: 7 },
        { device: 'dm-1', atFreeze, atThaw },
      ];
      const receipt = JSON.stringify({ thawedBy: 'asked', filesystems: [{ foundFrozen: true }], writes });
      return server.run(
        withFunctions(`FF_RUN=$FF_SYS P_EXECUTIONID=x P_COMMAND=post-script ACTIVE=$FF_RUN/active DLM_ID=dlm-x
          prepare_run_directory() { mkdir -p "$FF_RUN/receipts" "$ACTIVE"; echo dlm-x >"$ACTIVE/run"; }
          thaw_main() { printf '%s\\n' '${receipt}' >"$FF_RUN/receipts/dlm-x"; }
          dlm_main`),
      ).status;
    };
    assert.deepEqual([counted(8, 8), counted(8, 9), counted(8, null)], [0, 203, 203]);
  });

  it("another run's freeze is left alone by a post script", async () => {
    const server = host();
    assert.equal(await server.freeze('a'), 'ok');
    assert.equal(await server.dlm('post-script', randomUUID()), 205);
    assert.deepEqual(server.frozen, { inner: 'a', outer: 'a' });
    assert.equal(await server.thaw('a'), 'ok');
  });

  it('a dry run tells what Inspect tells, changes nothing, and says 206 where there is nothing to quiet', () => {
    using server = new FakeHost();
    const dryRun = renderScript('dlm', { executionId: 'None', command: 'dry-run' });
    server.ebs('nvme0n1', '0aaa0000000000000').mount('nvme0n1', '/', 'ext4');
    const bare = server.run(dryRun);
    assert.equal(bare.status, 206, bare.stderr);
    assert.equal(JSON.parse(bare.stdout).contract, 1);
    server.ebs('nvme1n1', '0bbb0000000000000').mount('nvme1n1', '/data', 'xfs');
    const { status, stderr } = server.run(dryRun);
    assert.equal(status, 0, stderr);
    assert.ok(!existsSync(join(server.directory, 'run')));
  });
});
