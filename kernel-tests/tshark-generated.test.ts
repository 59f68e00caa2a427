/**
 * Verdicts on checksums against tshark's, for generated packets of all protocols and for the project's captures: the same
 * checksums in the same order, right or wrong.
 *
 *     XDPSIM_TSHARK_PACKETS=100000 npx vitest run kernel-tests/tshark-generated.test.ts
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readCapture } from '../corpus/formats/capture-file.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { packageFile } from '../kernel/package-file.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { announcements } from '../sim/packet/protocols.ts';
import { decodeTree, type TreeNode } from '../sim/packet/tree.ts';
import {
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type ChecksumLayer,
  verifyChecksums,
} from '../verify/oracle/checksums.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { tsharkFields } from './test-support/tshark.ts';

const PACKETS = Number(process.env.XDPSIM_TSHARK_PACKETS ?? 3000);
const SEED = 'tshark';
/** In milliseconds; a busy machine takes three per packet. */
const TIMEOUT = 600_000 + 3 * PACKETS;

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-tshark-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** tshark's field for each of our layers; it has none for OSPF's verdict. UDP-Lite shares UDP's. */
const STATUS: Readonly<Partial<Record<ChecksumLayer, string>>> = {
  ipv4: 'ip.checksum.status',
  icmp: 'icmp.checksum.status',
  icmpv6: 'icmpv6.checksum.status',
  icmpext: 'icmp.ext.checksum.status',
  tcp: 'tcp.checksum.status',
  udp: 'udp.checksum.status',
  dccp: 'dccp.checksum.status',
  sctp: 'sctp.checksum.status',
  igmp: 'igmp.checksum.status',
  pim: 'pim.cksum.status',
  vrrp: 'vrrp.checksum.status',
  gre: 'gre.checksum.status',
};
const FIELDS = [...Object.values(STATUS), 'frame.protocols'];
const CHECKED = [
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'udplite.check_checksum:TRUE',
  'udplite.ignore_checksum_coverage:FALSE',
  // Without it tshark still counts a pseudo-header over IPv4, which RFC 9568 §5.2.8 leaves out.
  'vrrp.v3_checksum_as_in_v2:TRUE',
  'sctp.checksum:CRC-32c',
  'capwap.swap_fc:FALSE',
].flatMap((preference) => ['-o', preference]);
/** Ports that tshark's own tables lack. */
const PORTS = ['udp.port==8472,vxlan', 'ip.proto==137,mpls', 'ethertype==0x9200,vlan'].flatMap((rule) => [
  '-d',
  rule,
]);

/** tshark's numbers (`proto_checksum_enum_e`, epan/proto.h). */
const THEIRS = ['bad', 'good', 'unverifiable', 'absent', 'illegal'];

interface Verdicts {
  readonly ours: string[];
  readonly theirs: string[];
}

function oursOf(packet: Uint8Array, layer: string): string[] {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum({ layer: index, status }) {
      const name = CHECKSUM_LAYERS[index]!;
      if ((name === 'udplite' ? 'udp' : name) === layer) found.push(CHECKSUM_STATUSES[status]!);
    },
  });
  return found;
}

function differences(packets: readonly Uint8Array[]): string[] {
  const rows = tsharkFields(join(scratch, 'packets.pcap'), packets, FIELDS, 'a', [...CHECKED, ...PORTS]);
  const found: string[] = [];
  for (const [index, packet] of packets.entries()) {
    const row = rows[index]!;
    for (const [column, layer] of Object.keys(STATUS).entries()) {
      const theirs =
        row[column] === '' ? [] : row[column]!.split(',').map((status) => THEIRS[Number(status)]!);
      const ours = oursOf(packet, layer);
      const verdicts = { ours, theirs };
      if (agree(verdicts) || explained(packet, layer, verdicts, row.at(-1)!)) continue;
      found.push(
        `${layer}: ${ours} ≠ ${theirs} (${row.at(-1)}; ${decodeTree(packet)
          .map(({ name }) => name)
          .join(':')}) ${toHex(packet)}`,
      );
    }
  }
  return found;
}

function agree({ ours, theirs }: Verdicts): boolean {
  return ours.length === theirs.length && ours.every((verdict, at) => verdict === theirs[at]);
}

interface Difference extends Verdicts {
  readonly packet: Uint8Array;
  readonly layer: string;
  /** The layers of our tree, and those of tshark's. */
  readonly layers: readonly TreeNode[];
  readonly protocols: string;
}

const has = ({ layers }: Difference, ...names: string[]): boolean =>
  layers.some(({ name }) => names.includes(name.split('#')[0]!));
const reaches = ({ protocols }: Difference, ...names: string[]): boolean =>
  names.some((name) => protocols.split(':').includes(name));

/** Do all verdicts agree that both have? */
function isPrefix({ ours, theirs }: Verdicts): boolean {
  const judged = theirs.filter((verdict) => verdict !== 'unverifiable');
  return judged.length < ours.length && judged.every((verdict, at) => verdict === ours[at]);
}

function differing({ ours, theirs }: Verdicts): [our: string | undefined, their: string | undefined][] {
  const all = Array.from(
    { length: Math.max(ours.length, theirs.length) },
    (_, at) => [ours[at], theirs[at]] as const,
  );
  return all.filter(([our, their]) => our !== their).map(([our, their]) => [our, their]);
}

function holdsAllOnes(packet: Uint8Array): boolean {
  return decodeTree(packet).some(({ children }) =>
    children.some(({ name, text, note }) => name === 'checksum' && text === '0xffff' && note === 'correct'),
  );
}

function isQuoting(layers: readonly TreeNode[]): boolean {
  return layers.some(
    ({ name }, at) => /^icmp(v6)?(#|$)/.test(name) && /^ipv[46]/.test(layers[at + 1]?.name ?? ''),
  );
}

/** Does an ICMP error that states how much it quotes quote 128 bytes or more, and no more than it has? */
function quotesWell(name: string, packet: Uint8Array, offset: number): boolean {
  const [kind] = name.split('#');
  if (kind !== 'icmp' && kind !== 'icmpv6') return true;
  const words = packet[offset + (kind === 'icmp' ? 5 : 4)]!;
  const stated = words * (kind === 'icmp' ? 4 : 8);
  return words === 0 || (stated >= 128 && offset + 8 + stated <= packet.length);
}

/** Does something follow UDP that its ports do not announce? */
function isGuess({ layers, packet }: Difference, at: number): boolean {
  const next = layers[at + 1];
  if (next === undefined || !/^(ipv[46]|vxlan|vxlangpe)(#|$)/.test(next.name)) return false;
  const port = (offset: number): number => (packet[offset]! << 8) | packet[offset + 1]!;
  const ports = [port(layers[at]!.offset), port(layers[at]!.offset + 2)];
  return !ports.some((one) => announcements('udpPort').has(one) && one !== 6080);
}

/** Where the two differ, and why each of them is right in its own terms. */
const ARGUED: readonly (readonly [why: string, holds: (one: Difference) => boolean])[] = [
  [
    'not all that is covered is there, or lengths contradict each other: tshark is silent, or judges what was captured',
    ({ ours }) => ours.includes('unverifiable'),
  ],
  [
    'a header that is cut off or impossible: tshark shows its fields up to there, and no verdict',
    ({ layers }) => layers.some(({ note }) => note !== undefined),
  ],
  [
    'a protocol’s number in the IP version that it does not belong to, or a version of VRRP that there is not: tshark judges',
    (one) => ['icmp', 'icmpv6', 'igmp', 'vrrp'].includes(one.layer) && one.ours.length < one.theirs.length,
  ],
  [
    'TCP, ICMP and others with 0xffff: it verifies (RFC 1624 §3), tshark wants the other zero',
    ({ packet, ours, theirs }) =>
      differing({ ours, theirs }).every(([our, their]) => our === 'good' && their === 'bad') &&
      holdsAllOnes(packet),
  ],
  [
    'inside the packet that an ICMP error quotes: tshark does not judge',
    (one) => isPrefix(one) && isQuoting(one.layers),
  ],
  [
    'an ICMP error that states a length of what it quotes (RFC 4884 §4) which is not that of the packet: tshark ends it there',
    ({ layers, packet, ours, theirs }) =>
      layers.some(({ name, offset }) => /^icmp(#|$)/.test(name) && packet[offset + 5] !== 0) &&
      isQuoting(layers) &&
      differing({ ours, theirs }).every(([our, their]) => our === 'good' && their === 'bad'),
  ],
  [
    'extensions behind less than 128 bytes, or beyond the ICMP error: nobody sends them so (RFC 4884 §3), tshark reads them',
    ({ layer, layers, packet, ours }) =>
      layer === 'icmpext' &&
      ours.length === 0 &&
      layers.some(({ name, offset }) => !quotesWell(name, packet, offset)),
  ],
  [
    'tunnels are defined over UDP: tshark goes by the same ports behind UDP-Lite',
    (one) =>
      reaches(one, 'udplite') &&
      one.ours.length < one.theirs.length &&
      one.ours.every((verdict, at) => verdict === one.theirs[at]),
  ],
  [
    'behind HIP, Mobile IPv6 and Shim6 headers: tshark does not go on',
    (one) => isPrefix(one) && has(one, 'hip', 'mobility', 'shim6'),
  ],
  [
    'LISP that says that it is encrypted (RFC 8061) or announces what follows by a number (RFC 9305): tshark takes it for IP',
    ({ layers, packet, ours, theirs }) =>
      layers.some(({ name, offset }) => name === 'lisp' && (packet[offset]! & 7) !== 0) &&
      ours.length < theirs.length &&
      ours.every((verdict, at) => verdict === theirs[at]),
  ],
  ['inside GUE: tshark does not know it', (one) => isPrefix(one) && has(one, 'gue')],
  [
    'IP or VXLAN right behind UDP on a port that says nothing: tshark does not look',
    (one) => isPrefix(one) && one.layers.some(({ name }, at) => name.startsWith('udp') && isGuess(one, at)),
  ],
  [
    'ERSPAN announced by an EtherType instead of GRE: tshark does not follow',
    (one) => isPrefix(one) && has(one, 'erspan', 'erspan3') && !reaches(one, 'erspan'),
  ],
  [
    'session data of PPPoE under the EtherType of its discovery: tshark decodes tags',
    (one) => isPrefix(one) && reaches(one, 'pppoed'),
  ],
  [
    'a length behind a tag: tshark does not take it for LLC',
    (one) => isPrefix(one) && has(one, 'llc') && !reaches(one, 'llc'),
  ],
  [
    'IPv4 options that contradict themselves: tshark ends there',
    (one) => isPrefix(one) && reaches(one, 'ip') && /(^|:)ip$/.test(one.protocols),
  ],
  [
    'inside FabricPath: tshark takes the last four bytes for a check sequence',
    (one) => has(one, 'fabricpath'),
  ],
  [
    'IGMP 1 and 2 with more than 8 bytes: all of the payload is covered (RFC 2236 §2.3), tshark sums 8',
    ({ layer, ours, theirs, protocols }) =>
      layer === 'igmp' && protocols.endsWith('igmp:igmp') && ours[0] === 'good' && theirs[0] === 'bad',
  ],
  [
    'frames behind the cookies of L2TPv3, ERSPAN III with IP, 802.2 with IP, tags and PPPoE in GRE: tshark does not follow',
    (one) => isPrefix(one) && has(one, 'l2tpv3', 'l2tpudp', 'erspan3', 'llc', 'gre'),
  ],
  [
    'a tunnel’s port where the other port is lower and known: tshark goes by the lower one',
    (one) => isPrefix(one) && has(one, 'udp') && !reaches(one, 'vxlan', 'geneve', 'gtp', 'capwap', 'teredo'),
  ],
  [
    'PPPoE under the EtherType of sessions with a code that is none’s (RFC 2516 §4), numbers of IPv6’s extension headers behind AH in IPv4, packets quoted by ICMP in IPv6: tshark follows',
    (one) =>
      one.ours.length < one.theirs.length &&
      one.ours.every((verdict, at) => verdict === one.theirs[at]) &&
      (has(one, 'pppoe', 'ah') || reaches(one, 'icmp', 'ipv6.fraghdr', 'ipv6.hopopts', 'ipv6.dstopts')),
  ],
  [
    'Ethernet over MPLS: tshark guesses by the vendors of addresses whether it is there, and whether a control word is',
    (one) =>
      isPrefix(one) &&
      one.layers.some(
        ({ name }, at) =>
          name.startsWith('mpls') && /^(ethernet|pwethcw)/.test(one.layers[at + 1]?.name ?? ''),
      ),
  ],
  [
    'VXLAN-GPE without its P flag: it carries Ethernet then (draft-ietf-nvo3-vxlan-gpe §3.1), tshark goes by the number all the same',
    ({ layers }) =>
      layers.some(
        ({ name, children }) =>
          name === 'vxlangpe' && children.some((child) => child.name === 'nextPresent' && child.text === '0'),
      ),
  ],
  [
    '802.11 with its frame control swapped: tshark is told that it is not',
    (one) => isPrefix(one) && has(one, 'wlanswapped'),
  ],
  [
    'no UDP checksum over IPv6 to a tunnel’s port: allowed (RFC 6935 §5), tshark objects',
    (one) => differing(one).every(([our, their]) => our === 'absent' && their === 'illegal'),
  ],
  [
    'extension headers that contradict themselves: tshark ends there',
    (one) => isPrefix(one) && /(^|:)ipv6\.\w+$/.test(one.protocols),
  ],
  [
    'tshark says that it did not verify: a PIM register without flags, packets in GTP-U, and others',
    (one) => differing(one).every(([, their]) => their === 'unverifiable'),
  ],
  [
    'IGMP of an unknown type: tshark does not judge',
    (one) => one.layer === 'igmp' && one.theirs.length === 0,
  ],
];

function explained(packet: Uint8Array, layer: string, verdicts: Verdicts, protocols: string): boolean {
  const one = { ...verdicts, packet, layer, protocols, layers: decodeTree(packet) };
  const reason = ARGUED.find(([, holds]) => holds(one));
  if (reason === undefined) return false;
  counts.set(reason[0], (counts.get(reason[0]) ?? 0) + 1);
  return true;
}

const counts = new Map<string, number>();

describeKernel('verdicts on checksums are those of tshark', ['tshark'], () => {
  it(
    'for generated packets',
    () => {
      const batch = new PacketBatch(5000);
      const generator = new PacketGenerator();
      const found: string[] = [];
      for (let first = 0; first < PACKETS; first += batch.capacity) {
        batch.clear();
        generator.fill(batch, seedFromText(SEED), first, Math.min(batch.capacity, PACKETS - first));
        found.push(...differences(Array.from({ length: batch.count }, (_, at) => batch.stimulus(at).packet)));
      }
      if (process.env.SHOW_ARGUED !== undefined)
        console.log(found.length, found.slice(0, 60).join('\n'), counts);
      expect(found.slice(0, 5)).toEqual([]);
    },
    TIMEOUT,
  );

  it(
    'for the captures of the project',
    async () => {
      const folder = packageFile('corpus/captures');
      const found: string[] = [];
      for (const file of readdirSync(folder).filter((name) => name.endsWith('.pcapng'))) {
        const packets: Uint8Array[] = [];
        for await (const { bytes, offset, length, count } of readCapture(join(folder, file)))
          for (let at = 0; at < count; at++)
            packets.push(bytes.slice(offset[at]!, offset[at]! + length[at]!));
        found.push(...differences(packets));
      }
      expect(found).toEqual([]);
    },
    TIMEOUT,
  );
});
