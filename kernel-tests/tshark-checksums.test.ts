/**
 * Verdicts on checksums against tshark's, layer by layer, on packets that are right and wrong; the exceptions stand in
 * `EXCEPTIONS`, each with its reason.
 *
 *     XDPSIM_TSHARK_CHECKSUMS=200000 npx vitest run kernel-tests/tshark-checksums.test.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { PcapEncoder } from '../corpus/formats/pcap.ts';
import { Random, seedFromText } from '../corpus/generate/random.ts';
import { type LayerStack, packet } from '../sim/packet/build.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../verify/oracle/checksums.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = Number(process.env.XDPSIM_TSHARK_CHECKSUMS ?? 4000);
const SEED = seedFromText('tshark');

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-tshark-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Every check that tshark can make, each packet by itself. */
const PREFERENCES = [
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'udplite.check_checksum:TRUE',
  'udplite.ignore_checksum_coverage:FALSE',
  // Without it tshark still counts a pseudo-header over IPv4, which RFC 9568 §5.2.8 leaves out.
  'vrrp.v3_checksum_as_in_v2:TRUE',
  'dccp.check_checksum:TRUE',
  'sctp.checksum:CRC 32c',
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
].flatMap((preference) => ['-o', preference]);

/** tshark's fields by our layers. UDP-Lite is UDP to it. OSPF has no field for its verdict, which is an expert's note only. */
const FIELDS = {
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
} as const;
type Field = keyof typeof FIELDS;

/** tshark's numbers (`PROTO_CHECKSUM_E_*`, epan/proto.h). */
const STATUS = ['bad', 'good', 'unverifiable', 'absent', 'illegal'] as const;

interface Made {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const A = { source: '10.1.2.3', destination: '192.0.2.77' };
const B = { source: '2001:db8::1:2', destination: '2001:db8:ffff::9' };

/** Stacks of every protocol, over and inside of what carries it. Payloads come from the caller. */
const STACKS: Readonly<Record<string, (data: Uint8Array, random: Random) => LayerStack>> = {
  tcp4: (data) => packet.ethernet().ipv4(A).tcp({ sourcePort: 40_000, destinationPort: 9 }).payload(data),
  tcp6: (data) => packet.ethernet().ipv6(B).tcp({ sourcePort: 40_000, destinationPort: 9 }).payload(data),
  udp4: (data) => packet.ethernet().ipv4(A).udp({ sourcePort: 40_000, destinationPort: 9 }).payload(data),
  udp6: (data) => packet.ethernet().ipv6(B).udp({ sourcePort: 40_000, destinationPort: 9 }).payload(data),
  none4: (data) => packet.ethernet().ipv4(A).udp({ destinationPort: 9, checksum: 0 }).payload(data),
  none6: (data) => packet.ethernet().ipv6(B).udp({ destinationPort: 9, checksum: 0 }).payload(data),
  echo: (data) => packet.ethernet().ipv4(A).echoRequest({ sequence: 3 }).payload(data),
  echo6: (data) => packet.ethernet().ipv6(B).echoRequest6({ sequence: 3 }).payload(data),
  udplite: (data) => packet.ethernet().ipv4(A).udplite({ sourcePort: 5, destinationPort: 9 }).payload(data),
  udplite6: (data) => packet.ethernet().ipv6(B).udplite({ sourcePort: 5, destinationPort: 9 }).payload(data),
  dccp: (data) => packet.ethernet().ipv4(A).dccp({ sourcePort: 5, destinationPort: 9 }).payload(data),
  dccp6: (data) => packet.ethernet().ipv6(B).dccp({ sourcePort: 5, destinationPort: 9 }).payload(data),
  sctp: (data) => packet.ethernet().ipv4(A).sctp({ sourcePort: 5, destinationPort: 9 }).payload(chunk(data)),
  sctp6: (data) => packet.ethernet().ipv6(B).sctp({ sourcePort: 5, destinationPort: 9 }).payload(chunk(data)),
  igmp: () =>
    packet
      .ethernet()
      .ipv4({ ...A, ttl: 1 })
      .igmp({}),
  pim: (data) =>
    packet
      .ethernet()
      .ipv4({ ...A, ttl: 1 })
      .pim({ type: 0 })
      .payload(data.subarray(0, data.length & ~3)),
  vrrp: () =>
    packet
      .ethernet()
      .ipv4({ ...A, ttl: 255 })
      .vrrp({}),
  gre: (data) =>
    packet
      .ethernet()
      .ipv4(A)
      .gre({ checksumPresent: true, key: 5 })
      .ipv4(A)
      .udp({ destinationPort: 9 })
      .payload(data),
  vlan: (data) => packet.ethernet().vlan({ id: 5 }).ipv4(A).tcp({ destinationPort: 9 }).payload(data),
  qinq: (data) =>
    packet.ethernet().vlan({ service: true }).vlan({}).ipv6(B).udp({ destinationPort: 9 }).payload(data),
  mpls: (data) => packet.ethernet().mpls({}).ipv4(A).udp({ destinationPort: 9 }).payload(data),
  pppoe: (data) => packet.ethernet().pppoe({}).ppp({}).ipv4(A).tcp({ destinationPort: 9 }).payload(data),
  ipip: (data) => packet.ethernet().ipv4(A).ipv4(A).udp({ destinationPort: 9 }).payload(data),
  '6in4': (data) => packet.ethernet().ipv4(A).ipv6(B).tcp({ destinationPort: 9 }).payload(data),
  '4in6': (data) => packet.ethernet().ipv6(B).ipv4(A).echoRequest({}).payload(data),
  vxlan: (data) =>
    packet
      .ethernet()
      .ipv4(A)
      .udp({ destinationPort: 4789 })
      .vxlan({ vni: 9 })
      .ethernet()
      .ipv4(A)
      .udp({ destinationPort: 9 })
      .payload(data),
  geneve: (data) =>
    packet
      .ethernet()
      .ipv6(B)
      .udp({ destinationPort: 6081 })
      .geneve({})
      .ethernet()
      .ipv6(B)
      .tcp({ destinationPort: 9 })
      .payload(data),
  hopopts: (data) =>
    packet.ethernet().ipv6(B).hopopts({}).dstopts({}).udp({ destinationPort: 9 }).payload(data),
  error: (data) =>
    packet.ethernet().ipv4(A).icmp({ type: 3, code: 1 }).ipv4(A).udp({ destinationPort: 9 }).payload(data),
  error6: (data) =>
    packet.ethernet().ipv6(B).icmpv6({ type: 1, code: 4 }).ipv6(B).tcp({ destinationPort: 9 }).payload(data),
  extended: (data) =>
    packet
      .ethernet()
      .ipv4(A)
      .icmp({ type: 11, body: { kind: 'unreachable', quotedLength: 32 } })
      .payload(quoteWith(packet.ipv4(A).udp({ destinationPort: 9 }).payload(data))),
  extended6: (data) =>
    packet
      .ethernet()
      .ipv6(B)
      .icmpv6({ type: 3, body: { kind: 'unreachable', quotedLength: 16 } })
      .payload(quoteWith(packet.ipv6(B).udp({ destinationPort: 9 }).payload(data))),
  probe: () =>
    packet
      .ethernet()
      .ipv4(A)
      .icmp({})
      .icmpext({ objects: [INTERFACE] }),
  fragment: (data) =>
    packet
      .ethernet()
      .ipv4({ ...A, moreFragments: true, protocol: 17 })
      .udp({ destinationPort: 9 })
      .payload(data),
  later: (data) =>
    packet
      .ethernet()
      .ipv4({ ...A, fragmentOffset: 5, protocol: 17 })
      .payload(data),
};

const LABEL = { class: 1, subtype: 1, data: Uint8Array.of(0, 6, 0x41, 1) };
const INTERFACE = { class: 3, subtype: 2, data: Uint8Array.of(0, 0, 0, 1) };

/** The first 128 bytes of a packet, zeros behind a shorter one, and extensions (RFC 4884 §3). */
function quoteWith(quoted: LayerStack): Uint8Array {
  const extensions = packet.icmpext({ objects: [LABEL] }).bytes();
  const bytes = new Uint8Array(128 + extensions.length);
  bytes.set(quoted.bytes().subarray(0, 128));
  bytes.set(extensions, 128);
  return bytes;
}

/** A chunk of SCTP: DATA, its length, and zeros up to a word. */
function chunk(data: Uint8Array): Uint8Array {
  const size = 16 + data.length;
  const bytes = new Uint8Array((size + 3) & ~3);
  bytes.set([0, 3, size >> 8, size & 0xff]);
  bytes.set(data, 16);
  return bytes;
}

const NAMES = Object.keys(STACKS);

/** Right, or with one bit or one word changed that no header's structure hangs on. */
function make(random: Random, index: number): Made {
  random.start(SEED, index);
  const name = NAMES[index % NAMES.length]!;
  const data = Uint8Array.from({ length: 1 + random.below(90) }, () => random.byte());
  const bytes = STACKS[name]!(data, random).bytes();
  const fields: number[] = [];
  verifyChecksums(bytes, 0, bytes.length, { checksum: ({ at }) => at >= 0 && fields.push(at) });
  const kind = random.below(4);
  if (kind === 1 && fields.length > 0) {
    const at = fields[random.below(fields.length)]!;
    bytes[at + random.below(2)]! ^= 1 + random.below(255);
  } else if (kind === 2) {
    bytes[bytes.length - 1 - random.below(Math.min(data.length, 20))]! ^= 1 << random.below(8);
  }
  return { name, bytes };
}

type Verdicts = Readonly<Partial<Record<Field, readonly string[]>>>;

function ours(bytes: Uint8Array): Verdicts {
  const found: Partial<Record<Field, string[]>> = {};
  verifyChecksums(bytes, 0, bytes.length, {
    checksum({ layer, status }) {
      const name = CHECKSUM_LAYERS[layer]!;
      const field = name === 'udplite' ? 'udp' : name;
      if (!(field in FIELDS)) return;
      found[field as Field] = [...(found[field as Field] ?? []), CHECKSUM_STATUSES[status]!];
    },
  });
  return found;
}

function theirs(made: readonly Made[]): Verdicts[] {
  const encoder = new PcapEncoder();
  for (const { bytes } of made) encoder.packet(bytes, 0, bytes.length, 0, 0);
  const file = join(scratch, 'packets.pcap');
  writeFileSync(file, encoder.take());
  const names = Object.keys(FIELDS) as Field[];
  const columns = names.flatMap((name) => ['-e', FIELDS[name]]);
  const run = spawnSync(
    'tshark',
    ['-n', '-r', file, ...PREFERENCES, '-T', 'fields', '-E', 'separator=|', '-E', 'aggregator=,', ...columns],
    { encoding: 'utf8', maxBuffer: 2 ** 30, env: { ...process.env, LC_ALL: 'C' } },
  );
  expect(run.status, run.stderr).toBe(0);
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const cells = line.split('|');
      return Object.fromEntries(
        names.flatMap((name, column) =>
          cells[column] === '' || cells[column] === undefined
            ? []
            : [[name, cells[column].split(',').map((number) => STATUS[Number(number)]!)]],
        ),
      );
    });
}

/** Where the two may differ, and why. `undefined`: no verdict. */
const EXCEPTIONS: readonly {
  readonly why: string;
  applies(name: string, field: Field, ours: string | undefined, theirs: string | undefined): boolean;
}[] = [
  {
    why: 'tshark says nothing of a checksum that cannot be verified, or says so in other places',
    applies: (_name, _field, mine, other) =>
      (mine === 'unverifiable' && other === undefined) || (mine === undefined && other === 'unverifiable'),
  },
  {
    why: 'a bit of the version of ICMP’s extensions was changed: what no RFC defines has no checksum that is known, but tshark computes one',
    applies: (name, field, mine) =>
      /^(extended|probe)/.test(name) && field === 'icmpext' && mine === undefined,
  },
  {
    why: 'a datagram that an ICMPv6 error quotes ends where extensions begin; tshark takes them for its data',
    applies: (name, field, mine) => name === 'extended6' && field === 'udp' && mine === 'unverifiable',
  },
  {
    why: 'a bit of VRRP’s version was changed: what no RFC defines has no checksum that is known, but tshark computes one',
    applies: (name, field, mine) => name === 'vrrp' && field === 'vrrp' && mine === undefined,
  },
  {
    why: 'a bit of IGMP’s type was changed: every message has its checksum at the same place (RFC 2236 §2), but tshark leaves types out that it does not know',
    applies: (name, field, mine, other) =>
      name === 'igmp' &&
      field === 'igmp' &&
      mine === 'bad' &&
      (other === undefined || other === 'unverifiable'),
  },
];

describeKernel('checksums are right and wrong as tshark says', ['tshark'], () => {
  it(`layer by layer on ${PACKETS} packets`, () => {
    const random = new Random();
    const tally = new Map<string, number>();
    const excepted = new Map<string, number>();
    const wrong: string[] = [];
    const SLICE = 20_000;
    for (let from = 0; from < PACKETS; from += SLICE) {
      const made = Array.from({ length: Math.min(SLICE, PACKETS - from) }, (_, index) =>
        make(random, from + index),
      );
      const verdicts = theirs(made);
      for (const [index, { name, bytes }] of made.entries()) {
        const mine = ours(bytes);
        const other = verdicts[index]!;
        for (const field of Object.keys(FIELDS) as Field[]) {
          const [a, b] = [mine[field] ?? [], other[field] ?? []];
          for (let depth = 0; depth < Math.max(a.length, b.length); depth++) {
            const exception = EXCEPTIONS.find(({ applies }) => applies(name, field, a[depth], b[depth]));
            if (a[depth] === b[depth])
              tally.set(`${field} ${a[depth]}`, (tally.get(`${field} ${a[depth]}`) ?? 0) + 1);
            else if (exception !== undefined)
              excepted.set(exception.why, (excepted.get(exception.why) ?? 0) + 1);
            else
              wrong.push(`${name}: ${field}/${depth}: ${a[depth]} here, ${b[depth]} there: ${toHex(bytes)}`);
          }
        }
      }
    }
    const kinds = new Map<string, string>();
    for (const one of wrong) kinds.set(one.replace(/: [0-9a-f]+$/, ''), one);
    expect([...kinds.values()].slice(0, 30), `${wrong.length} differ`).toEqual([]);
    // Of every protocol right ones and wrong ones were compared.
    const compared = (Object.keys(FIELDS) as Field[]).flatMap((field) => [`${field} good`, `${field} bad`]);
    expect(compared.filter((one) => !tally.has(one))).toEqual([]);
  });
});
