/** Each of the four types that announce a tag means the same to all that read frames by themselves. */
import { describe, expect, it } from 'vitest';
import { layout } from '../corpus/simplify/packet-layout.ts';
import { packet } from '../sim/packet/build.ts';
import { writeU16 } from '../sim/packet/bytes.ts';
import { decodeTree } from '../sim/packet/tree.ts';
import { TPIDS } from '../sim/packet/vlan.ts';
import { variantsOf } from './check/variants.ts';
import { notable } from './explain/notable.ts';
import { ethertype } from './invariants/ethertype.ts';
import { CHECKSUM, verifyChecksums } from './oracle/checksums.ts';
import { FramePair } from './oracle/frame-pair.ts';
import { PASSED } from './test-support/packets.ts';

function tagged(type: number): Uint8Array {
  const bytes = packet.ethernet().vlan({ id: 7 }).vlan({ id: 9 }).ipv4().tcp().bytes();
  writeU16(bytes, 12, type);
  writeU16(bytes, 16, type);
  return bytes;
}

describe.each(TPIDS.map((type) => `0x${type.toString(16)}`))('a tag of %s', (text) => {
  const type = Number(text);
  const frame = tagged(type);

  it('is stepped over by tree, oracle, layout and neighbours', () => {
    expect(decodeTree(frame).map(({ name }) => name)).toEqual(['ethernet', 'vlan', 'vlan#2', 'ipv4', 'tcp']);
    const statuses: number[] = [];
    verifyChecksums(frame, 0, frame.length, { checksum: ({ status }) => statuses.push(status) });
    expect(statuses).toEqual([CHECKSUM.good, CHECKSUM.good]);
    expect(layout(frame)).toMatchObject({ tags: [12, 16], networkAt: 22, version: 4, protocol: 6 });
    expect(variantsOf({ packet: frame }).length).toBeGreaterThan(10);
  });

  it('is named to people', () => {
    expect(notable(frame)).toContain('it has 2 VLAN tags');
  });

  it('is what a frame claims to have whose tag was taken off, and whose EtherType was left', () => {
    const stale = new Uint8Array(frame.length - 4);
    stale.set(frame.subarray(0, 18));
    stale.set(frame.subarray(22), 18);
    const pair = new FramePair();
    pair.set(frame, 0, frame.length, stale, 0, stale.length);
    expect(ethertype.judge(pair, PASSED)?.sentence).toContain(
      `${text} (a VLAN tag), but the IPv4 packet follows`,
    );
  });
});
