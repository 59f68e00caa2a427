/** All that the oracle reports of packets of every kind: whole, cut off anywhere, and with any byte of their headers changed. */
import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { bytes, data } from '../test-support/packets.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { ip, ip6, RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, ChecksumScanner, type ChecksumSink } from './checksums.ts';
import { HEADER_FLAG, HEADER_NAMES, UNKNOWN } from './found.ts';

const PARTS = ['', ', first fragment', ', later fragment'];
const SPACES: Readonly<Record<number, string>> = {
  [UNKNOWN.etherType]: 'EtherType',
  [UNKNOWN.ipProtocol]: 'IP protocol',
  [UNKNOWN.udpPort]: 'UDP port',
  [UNKNOWN.pppProtocol]: 'PPP protocol',
  [UNKNOWN.llcSap]: 'LLC SAP',
  [UNKNOWN.snap]: 'SNAP type',
};
const hex = (value: number): string => `0x${value.toString(16)}`;

/** One line for each call of the sink, in order. */
function report(packet: Uint8Array, linkType: number = LINKTYPE.ETHERNET, bigTcp = false): string[] {
  lines = [];
  scanner.bigTcp = bigTcp;
  scanner.scan(place(packet), 13, packet.length, sink, linkType);
  return lines;
}

/** An arena in which packets do not begin at the start. */
const arena = new Uint8Array(400);
function place(packet: Uint8Array): Uint8Array {
  arena.fill(0xa5);
  arena.set(packet, 13);
  return arena;
}

const scanner = new ChecksumScanner();
let lines: string[] = [];
const sink: ChecksumSink = {
  header: (one) => {
    const flags = Object.entries(HEADER_FLAG).filter(([, bit]) => (one.headerFlags & bit) !== 0);
    const { headerKind, headerStart, headerEnd, claimedEnd, room, part, fragment } = one;
    lines.push(
      `${HEADER_NAMES[headerKind]} ${headerStart}-${headerEnd}, claims ${claimedEnd} of ${room}${PARTS[part]}` +
        `${fragment === 0 ? '' : ` ${fragment}`}${flags.map(([name]) => `, ${name}`).join('')}`,
    );
  },
  checksum: (one) => {
    const { layer, depth, status, at, got, expected, sum, start, end, addressLength } = one;
    const { source, destination, protocol, length } = one;
    // What holds without a pseudo-header is of an earlier one.
    const pseudo =
      addressLength === 0 ? '' : `, pseudo ${source} ${destination} (${addressLength}) ${protocol} ${length}`;
    lines.push(
      `  ${CHECKSUM_LAYERS[layer]}/${depth} ${CHECKSUM_STATUSES[status]} at ${at}: ${hex(got)}, should be ${hex(expected)}` +
        ` (${sum < 0 ? 'no sum' : hex(sum)}) over ${start}-${end}${pseudo}`,
    );
  },
  unknown: (space, number) => {
    lines.push(`  unknown: ${SPACES[space]} ${number}`);
  },
  unreadable: (reason) => {
    lines.push(`  unreadable: ${reason}`);
  },
};

describe('what the oracle reports', () => {
  it('of right packets is as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).flatMap(([name, packet]) => [name, ...report(packet)]);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/right.txt');
  });

  it('of checksums does not depend on whether headers are asked for', () => {
    const { header: _, ...checksumsAlone } = sink;
    for (const packet of Object.values(RIGHT_PACKETS)) {
      const all = report(packet);
      lines = [];
      scanner.scan(place(packet), 13, packet.length, checksumsAlone);
      expect(lines).toEqual(all.filter((line) => line.startsWith('  ')));
    }
  });

  it('of packets that are cut off, or of which a byte was changed, is as recorded', async () => {
    const rows = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const lines: string[] = [];
      for (let length = 0; length < packet.length; length++)
        lines.push(`${length}: ${report(packet.subarray(0, length)).join('; ')}`);
      for (const [change, copy] of changed(packet)) lines.push(`${change}: ${report(copy).join('; ')}`);
      return `${name}: ${fingerprint(name, lines)}`;
    });
    await expect(`${rows.join('\n')}\n`).toMatchFileSnapshot('recorded/changed.txt');
  });

  it('of packets that state no length is as recorded where segments may be longer than that (BIG TCP)', async () => {
    const lines: string[] = [];
    for (const [name, at] of [
      ['TCP', 16],
      ['UDP', 16],
      ['an ICMP echo', 16],
      ['UDP over IPv6', 18],
    ] as const)
      for (const isBig of [false, true]) {
        const packet = RIGHT_PACKETS[name]!.slice();
        packet.set([0, 0], at);
        lines.push(`${name}, ${isBig}`, ...report(packet, LINKTYPE.ETHERNET, isBig));
      }
    const six = bytes(ip6.subarray(0, 6), 6, ip6.subarray(7));
    six.set([0, 0], 4);
    for (const isBig of [false, true])
      lines.push(`TCP over IPv6, ${isBig}`, ...report(six, LINKTYPE.RAW, isBig));
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/big-tcp.txt');
  });

  it('of other link layers is as recorded', async () => {
    const lines: string[] = [];
    const frame = RIGHT_PACKETS.TCP!;
    for (const [name, type, packet] of [
      ['raw IPv4', LINKTYPE.RAW, ip],
      ['raw IPv6', LINKTYPE.RAW, ip6],
      ['nothing', LINKTYPE.RAW, new Uint8Array(0)],
      ['cooked', LINKTYPE.LINUX_SLL, bytes(data(14), 8, 0, ip)],
      ['cooked, with ARP', LINKTYPE.LINUX_SLL, bytes(data(14), 8, 6, data(28))],
      ['cooked, version 2', LINKTYPE.LINUX_SLL2, bytes(0x86, 0xdd, data(18), ip6)],
      ['cut off', LINKTYPE.LINUX_SLL2, bytes(0x86, 0xdd, data(9))],
      ['none that is known', 9999, frame],
    ] as const)
      lines.push(name, ...report(packet, type));
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/link-layers.txt');
  });
});
