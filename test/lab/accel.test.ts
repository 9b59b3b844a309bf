import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasVirtualisation } from '../../lab/accel.ts';

test('a /dev/kvm without vmx or svm in the processor flags is not trusted', () => {
  assert.equal(hasVirtualisation('flags\t\t: fpu sse4_2 hypervisor\n', '/dev/null'), false);
});

test('virtualisation needs a device that opens, too', () => {
  assert.equal(hasVirtualisation('flags\t\t: fpu vmx\n', '/dev/null'), true);
  assert.equal(hasVirtualisation('flags\t\t: fpu svm\n', '/nonexistent/kvm'), false);
});
