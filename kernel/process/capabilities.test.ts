import { expect, it } from 'vitest';
import { LIVE, LOADING, lackOf, missingCapabilities, standingOf } from './capabilities.ts';

const BPF_AND_NET_ADMIN = (1n << 39n) | (1n << 12n);
const SYS_ADMIN = 1n << 21n;

it('misses CAP_PERFMON where only CAP_BPF and CAP_NET_ADMIN are there: the verifier refuses most programs then', () => {
  expect(missingCapabilities(LOADING, BPF_AND_NET_ADMIN)).toEqual(['CAP_PERFMON']);
});

it('takes CAP_SYS_ADMIN for CAP_BPF and CAP_PERFMON, but not for CAP_NET_ADMIN', () => {
  expect(missingCapabilities(LIVE, SYS_ADMIN)).toEqual(['CAP_NET_ADMIN', 'CAP_NET_RAW']);
  expect(standingOf('CAP_BPF', SYS_ADMIN)).toBe('by CAP_SYS_ADMIN');
});

it('names what is missing, and how root in a container and others get it', () => {
  expect(lackOf(LOADING, 0n, true)).toEqual({
    available: false,
    reason: 'CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are missing',
    remedy:
      'start the container with --cap-add=BPF --cap-add=PERFMON --cap-add=NET_ADMIN, or with --privileged',
  });
  expect(lackOf(LOADING, BPF_AND_NET_ADMIN, false)).toEqual({
    available: false,
    reason: 'not running as root, and CAP_PERFMON is missing',
    remedy: 'run it with sudo, or give it CAP_PERFMON',
  });
  expect(lackOf(LOADING, 2n ** 41n - 1n, true)).toBeUndefined();
});
