/** What a worksheet says of the number that should stand in the field. */
import { expect, it } from 'vitest';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  pseudo,
  slowSum,
  u16,
  udp,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { checksumEvidence, diagnose, rightChecksum } from './diagnose.ts';
import { checksumWorksheet } from './worksheet.ts';

/** The line about a datagram whose source port went from 40000 to 1, the checksum being left as it came. */
function line(damage: number): string {
  const before = ethernet(0x0800, ipv4(17, udp(data(20))));
  before[41]! ^= damage;
  const after = before.slice();
  after.set([0, 1], 34);
  const evidence = checksumEvidence(before, after, 'udp')!;
  return checksumWorksheet(evidence, diagnose(evidence))[1]!;
}

it('names both what is as wrong as before and what is right, where the checksum came wrong', () => {
  expect(line(0x40)).toMatch(
    /came as 0x\w{4}, bad; .*should be 0x\w{4}, as wrong as it came \(0x\w{4} would be right\)$/,
  );
  const [, kept, right] = /be 0x(\w{4}),.*\(0x(\w{4}) would/.exec(line(0x40))!;
  expect(Math.abs(Number.parseInt(kept!, 16) - Number.parseInt(right!, 16))).toBe(0x40);
});

it('names one number where the checksum came right', () => {
  expect(line(0)).toMatch(/came as 0x\w{4}, good; .*should be 0x\w{4}$/);
});

it.each([
  ['that came right', 0, 0],
  ['that came wrong, by one more in its payload', 1, 1],
])('names 0xffff where UDP wrote a computed 0 in the place of a checksum %s', (_, damage) => {
  const open = ethernet(0x0800, ipv4(17, udp(bytes(0, 0, data(20)))));
  const before = open.slice();
  // The source port is the one that brings the sum to zero.
  const sum = slowSum([...pseudo(17, 30), ...open.subarray(36, 40), ...open.subarray(42)]);
  const after = before.slice();
  after.set(u16(0xffff - sum), 34);
  after.set([0, 0], 40);
  // A sum that came wrong stays wrong by as much.
  for (const packet of [before, after]) packet[43]! ^= damage;
  const evidence = checksumEvidence(before, after, 'udp')!;
  expect(rightChecksum(evidence)).toBe(0xffff);
  expect(checksumWorksheet(evidence, diagnose(evidence))[1]).toMatch(/left as 0x0000.*should be 0xffff/);
});

it('leaves a UDP checksum of 0 that came so', () => {
  const before = ethernet(0x0800, ipv4(17, udp(data(20))));
  before.set([0, 0], 40);
  const after = before.slice();
  after.set([0, 1], 34);
  expect(rightChecksum(checksumEvidence(before, after, 'udp')!)).toBe(0);
});

it('adds nothing up where a datagram over IPv6 has a checksum of 0 and a length that says nothing', () => {
  const sheet = (length: number): string[] => {
    const before = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
    const after = before.slice();
    after.set([...u16(length), 0, 0], 58);
    const evidence = checksumEvidence(before, after, 'udp')!;
    return checksumWorksheet(evidence, diagnose(evidence));
  };
  const unknown = sheet(0);
  expect(unknown[0]).toBe('Checksum of udp at byte 60');
  expect(unknown[1]).toMatch(/left as 0x0000, illegal; what it should be is not known/);
  expect(unknown.join('\n')).not.toMatch(/from scratch|should be 0x/);
  const known = sheet(28);
  expect(known[0]).toBe('Checksum of udp at byte 60, over bytes 54–81 and the pseudo-header');
  expect(known[1]).toMatch(/left as 0x0000, illegal; it should be 0x(?!0000)\w{4}$/);
});
