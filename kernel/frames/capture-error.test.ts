import { expect, it } from 'vitest';
import { captureError } from './capture-error.ts';

it('asks for rights where they are missing, and for another name where there is no such device', () => {
  expect(captureError('eth7', 'No such device exists').remedy).toContain('ip link');
  expect(captureError('eth7', 'no such device').remedy).toContain('ip link');
  const denied = captureError('eth0', 'EPERM');
  expect(denied.message).toBe('eth0 cannot be captured: EPERM');
  expect(denied.remedy).toContain('CAP_NET_RAW');
});
