/** What a worksheet says of the number that should stand in the field. */
import { expect, it } from 'vitest';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { checksumEvidence, diagnose } from './diagnose.ts';
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
