import { expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { ethernet } from '../../sim/packet/build.ts';
import { UNKNOWN } from '../oracle/found.ts';
import { CaptureChecker } from './checker.ts';
import { namedNumbers, unexaminedName } from './unexamined.ts';

/** What one packet of these has that is not looked into. */
function unexamined(packet: Uint8Array): string[] {
  const checker = new CaptureChecker();
  checker.checkPacket(packet, 0, packet.length, LINKTYPE.ETHERNET);
  checker.end();
  return [...checker.unexamined.keys()];
}

// Data that no version and no type of any protocol is right in: none of the two is followed.
const DATA = [new Uint8Array(64), new Uint8Array(64).fill(0xff)];

it('counts each EtherType that it has a name for', () => {
  for (const number of namedNumbers(UNKNOWN.etherType)) {
    const frames = DATA.map((data) => ethernet({ etherType: number }).payload(data).bytes());
    expect(frames.flatMap(unexamined), `0x${number.toString(16)}`).toContain(
      unexaminedName(UNKNOWN.etherType, number),
    );
  }
});

it('counts each IP protocol that it has a name for, over IPv4 or IPv6', () => {
  for (const number of namedNumbers(UNKNOWN.ipProtocol)) {
    const packets = DATA.flatMap((data) => [
      ethernet().ipv4({ protocol: number }).payload(data).bytes(),
      ethernet().ipv6({ nextHeader: number }).payload(data).bytes(),
    ]);
    expect(packets.flatMap(unexamined), String(number)).toContain(unexaminedName(UNKNOWN.ipProtocol, number));
  }
});
