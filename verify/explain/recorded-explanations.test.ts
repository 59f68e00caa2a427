/** What people read of a finding, word for word: of every kind of finding, and of checksums wrong in every known way. */
import { describe, expect, it } from 'vitest';
import type { Case } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import { XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import { checksumField, differingField } from '../differing-field.ts';
import type { Finding } from '../finding.ts';
import { ChecksumJudge } from '../oracle/judge.ts';
import type { Outcome } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import { COUNTS, FAKE_PROGRAM } from '../test-support/engines.ts';
import { bytes, data, icmp, slowSum, u16 } from '../test-support/packets.ts';
import { plainOutcome } from '../test-support/plain-outcome.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { eth4, RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { mapCause } from './causes.ts';
import { checksumSites } from './checksum-site.ts';
import { diagnoseChecksum } from './diagnose.ts';
import { explain } from './explain.ts';
import { keptLines } from './kept.ts';
import { notable } from './notable.ts';
import { summarize } from './summary.ts';

const judge = new ChecksumJudge();
const RUN = { engines: ['model', 'vm'] as EngineName[], seed: 'seven' };

const outcome = (packet: Uint8Array, more: Partial<Outcome> = {}): Outcome =>
  plainOutcome(packet, { action: XDP_TX, ...more });

function divergence(finding: Finding, shown: Case, more: Partial<Divergence> = {}): Divergence {
  const { engines, part, field } = finding;
  return {
    program: 'fake',
    engines,
    part,
    field,
    severity: 'error',
    summary: summarize(FAKE_PROGRAM, shown, finding),
    case: shown,
    finding,
    seen: { seed: 'seven', packet: 17 },
    state: 'shrunk',
    ...more,
  };
}

const caseOf = (...packets: Uint8Array[]): Case => ({
  program: 'fake',
  world: {},
  stimuli: packets.map((packet) => ({ packet })),
});

/** A checksum fault, if the oracle finds one. */
function checksumFinding(came: Uint8Array, left: Uint8Array): Finding | undefined {
  const fault = judge.judge(came, 0, came.length, left, 0, left.length);
  if (fault === undefined) return undefined;
  return {
    engines: ['oracle', 'vm'],
    part: 'checksum',
    field: checksumField(fault.layer, fault.depth),
    packet: 0,
    expected: undefined,
    got: outcome(left),
    fault,
  };
}

const not = (value: number): number => ~value & 0xffff;
const swap = (value: number): number => ((value & 0xff) << 8) | (value >> 8);
const plus = (...values: number[]): number => slowSum(values.flatMap((value) => u16(value & 0xffff)));

/** What programs write in the place of the right checksum, which was `was`, where `from` became `to`. */
const WRONG: Readonly<Record<string, (right: number, was: number, from: number, to: number) => number>> = {
  'not updated': (_, was) => was,
  'byte order': (right) => swap(right),
  complement: (right) => not(right),
  'carry lost': (_, was, from, to) => (was + from - to) & 0xffff,
  'carry lost, the other order': (_, was, from, to) => swap((swap(was) + swap(from) - swap(to)) & 0xffff),
  twice: (_, was, from, to) => plus(was, from, not(to), from, not(to)),
  negated: (_, was, from, to) => plus(was, to, not(from)),
  'order of the difference': (_, was, from, to) => plus(was, swap(plus(from, not(to)))),
  zero: () => 0,
  'something else': () => 0x1234,
  'one more': (right) => plus(right, 1),
  'old counted': (right, was) => not(plus(not(right), was)),
};

/** The packet with the word at `at` changed, and the checksum at `field` as a program with this defect writes it. */
function faulty(
  packet: Uint8Array,
  at: number,
  to: number,
  field: number,
  right: number,
  wrong: (typeof WRONG)[string],
): Uint8Array {
  const out = packet.slice();
  const word = (place: number): number => (packet[place]! << 8) | packet[place + 1]!;
  out.set(u16(to), at);
  out.set(u16(wrong(right, word(field), word(at), to)), field);
  return out;
}

/** For each checksum of a packet, and each word that it covers: every defect. */
function* faults(packet: Uint8Array): Generator<[name: string, came: Uint8Array, left: Uint8Array]> {
  for (const site of checksumSites(packet)) {
    const places = [site.start, site.start + 2, site.end - 4 - (site.end & 1)];
    for (const at of new Set(places))
      for (const to of [0x1234, 0xffff]) {
        if (at === site.at || at < 0 || at + 2 > packet.length) continue;
        const changedAlone = packet.slice();
        changedAlone.set(u16(to), at);
        const now = checksumSites(changedAlone).find((one) => one.at === site.at);
        if (now === undefined) continue;
        for (const [defect, wrong] of Object.entries(WRONG))
          yield [
            `${site.layer}/${site.depth} ${at}=${to.toString(16)} ${defect}`,
            packet,
            faulty(packet, at, to, site.at, now.expected, wrong),
          ];
      }
  }
}

const SHOWN = [
  'an ICMP echo',
  'an ICMP echo of odd length',
  'TCP',
  'TCP with options',
  'UDP',
  'IPv4 options',
  'Ethernet padding',
  'one VLAN tag',
  'ICMPv6',
  'UDP over IPv6',
  'hop-by-hop and destination options',
  'VXLAN',
  'an ICMP error that quotes a whole datagram',
  'an ICMPv6 error',
  'UDP without a checksum',
  'GRE with checksum, key and sequence number',
];

describe('of a wrong checksum', () => {
  it('cause and summary are as recorded, packet by packet', async () => {
    const lines = SHOWN.map((name) => {
      const found: string[] = [];
      for (const [change, came, left] of faults(RIGHT_PACKETS[name]!)) {
        const finding = checksumFinding(came, left);
        const text = finding === undefined ? 'no fault' : summarize(FAKE_PROGRAM, caseOf(came), finding);
        const [layer, depth] = change.split(/[ /]/) as [string, string];
        found.push(`${change}: ${text}; ${diagnoseChecksum(came, left, layer, Number(depth))?.id}`);
      }
      return `${name}: ${fingerprint(`causes ${name}`, found)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/causes.txt');
  });

  it('the whole explanation is as recorded', async () => {
    const lines: string[] = [];
    const digests: string[] = [];
    for (const name of SHOWN) {
      let index = 0;
      const all: string[] = [];
      for (const [change, came, left] of faults(RIGHT_PACKETS[name]!)) {
        if (index++ % 13 !== 0) continue;
        const finding = checksumFinding(came, left);
        if (finding === undefined) continue;
        const text = explain(FAKE_PROGRAM, divergence(finding, caseOf(came)), { run: RUN });
        if (all.length === 0) lines.push(`### ${name}, ${change}`, ...text);
        all.push(change, ...text);
      }
      digests.push(`${name}: ${fingerprint(`explained ${name}`, all)}`);
    }
    await expect(`${[...lines, '', ...digests].join('\n')}\n`).toMatchFileSnapshot('recorded/checksums.txt');
  });
});

describe('of packets', () => {
  it('what is unusual about them is as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const all: string[] = [];
      for (let length = 0; length < Math.min(90, packet.length); length++)
        all.push(`${length}: ${notable(packet.subarray(0, length)).join('; ')}`);
      for (const [change, copy] of changed(packet, 60)) all.push(`${change}: ${notable(copy).join('; ')}`);
      for (const at of [0, 6])
        all.push(notable(bytes(packet.subarray(0, at), 1, packet.subarray(at + 1))).join('; '));
      return `${name}: ${notable(packet).join('; ')} (${fingerprint(`notable ${name}`, all)})`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/notable.txt');
  });
});

const echo = RIGHT_PACKETS['an ICMP echo']!;
const six = RIGHT_PACKETS['UDP over IPv6']!;
const at = (packet: Uint8Array, place: number, ...values: number[]): Uint8Array =>
  bytes(packet.subarray(0, place), values, packet.subarray(place + values.length));
const swapped = (packet: Uint8Array): Uint8Array =>
  bytes(packet.subarray(6, 12), packet.subarray(0, 6), packet.subarray(12));

/** What two engines made of one packet. */
const COMPARED: Readonly<
  Record<string, [came: Uint8Array, expected: Partial<Outcome>, got: Partial<Outcome>]>
> = {
  'an address that was not swapped': [echo, { packet: swapped(echo) }, { packet: echo }],
  'a field that should have stayed': [echo, { packet: echo }, { packet: at(echo, 22, 63) }],
  'a field that was not written': [echo, { packet: at(echo, 22, 63) }, { packet: echo }],
  'a field in the wrong byte order': [
    echo,
    { packet: at(echo, 38, 0x12, 0x34) },
    { packet: at(echo, 38, 0x34, 0x12) },
  ],
  'another value': [echo, { packet: at(echo, 38, 0x12, 0x34) }, { packet: at(echo, 38, 0x55, 0x66) }],
  'a frame that is shorter': [echo, { packet: echo }, { packet: echo.subarray(0, 60) }],
  'a frame that is longer': [echo, { packet: echo }, { packet: bytes(echo, 1, 2, 3) }],
  'a frame of no bytes': [echo, { packet: echo }, { packet: new Uint8Array(0) }],
  'a layer of its own': [echo, { packet: echo }, { packet: RIGHT_PACKETS['one VLAN tag']! }],
  'a layer that is missing': [
    RIGHT_PACKETS['one VLAN tag']!,
    { packet: RIGHT_PACKETS['one VLAN tag']! },
    { packet: RIGHT_PACKETS.TCP! },
  ],
  'a packet that is unusual': [
    RIGHT_PACKETS['IPv4 options']!,
    { packet: at(RIGHT_PACKETS['IPv4 options']!, 15, 4) },
    { packet: at(RIGHT_PACKETS['IPv4 options']!, 15, 8) },
  ],
  'an address of IPv6': [six, { packet: at(six, 22, 1) }, { packet: at(six, 22, 2) }],
  'a frame that should not leave': [
    echo,
    { action: 1, packet: at(echo, 22, 63) },
    { action: 1, packet: echo },
  ],
  'a long frame': [
    bytes(echo, data(1800)),
    { packet: bytes(echo, data(1800)) },
    { packet: at(bytes(echo, data(1800)), 1000, 9, 9, 9) },
  ],
};

const OTHERS: Readonly<
  Record<string, [part: Finding['part'], expected: Partial<Outcome>, got: Partial<Outcome>]>
> = {
  action: ['action', { action: XDP_PASS }, {}],
  metadata: ['metadata', { metadata: Uint8Array.of(1, 2) }, {}],
  redirect: ['redirect', { redirect: 7 }, { redirect: 9 }],
  trace: ['trace', { trace: ['a', 'b'] }, { trace: [] }],
  skb: ['skb', { mark: 1, priority: 2, cb: [1, 2, 3, 4, 5], tstamp: 9n }, {}],
  status: ['status', {}, { status: 'violation', note: { message: 'invalid access to packet' } }],
  'status, with its place': [
    'status',
    {},
    {
      status: 'violation',
      note: {
        message: 'instruction 7 (/src/prog.bpf.c:51): invalid access to packet',
        instruction: 7,
        source: { file: '/src/prog.bpf.c', line: 51, text: '  return *p;' },
      },
    },
  ],
  'status, without a line': [
    'status',
    {},
    { status: 'violation', note: { message: 'a lock is held', instruction: 9 } },
  ],
  fault: ['status', { status: 'fault', note: { message: 'the model has no map rules' } }, {}],
};

const WITNESSES: Readonly<Record<string, Partial<Outcome> | undefined>> = {
  'no witness': undefined,
  'it agrees with the first': { action: XDP_PASS },
  'it agrees with the second': {},
  'it warns': { note: { message: 'a byte that was never written', instruction: 3 } },
  'it stops': { status: 'violation', note: { message: 'invalid access to packet', instruction: 3 } },
  'it cannot go on': { status: 'fault', note: { message: 'too many instructions' } },
  'it agrees with neither': { action: 0, redirect: 1, metadata: Uint8Array.of(9), trace: ['x'], mark: 3 },
};

function compared(
  part: Finding['part'],
  came: Uint8Array,
  expected: Partial<Outcome>,
  got: Partial<Outcome>,
  engines: Finding['engines'] = ['model', 'vm'],
): Finding {
  const [wanted, wrote] = [outcome(came, expected), outcome(came, got)];
  const field = part === 'packet' ? differingField(wanted.packet, wrote.packet) : part;
  return { engines, part, field, packet: 0, expected: wanted, got: wrote };
}

describe('of a difference between engines', () => {
  it('explanations of packets are as recorded', async () => {
    const lines: string[] = [];
    for (const [name, [came, expected, got]] of Object.entries(COMPARED)) {
      const found = divergence(compared('packet', came, expected, got), caseOf(came));
      lines.push(
        `### ${name}`,
        ...explain(FAKE_PROGRAM, found, { style: (style, text) => `<${style}>${text}` }),
      );
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/packets.txt');
  });

  it('explanations of everything else are as recorded, whatever a witness says', async () => {
    const lines: string[] = [];
    for (const [name, [part, expected, got]] of Object.entries(OTHERS))
      for (const [says, witness] of Object.entries(WITNESSES))
        for (const engines of [
          ['model', 'vm'],
          ['testrun', 'wasm'],
        ] as const) {
          const found = divergence(compared(part, echo, expected, got, engines), caseOf(echo), {
            ...(witness === undefined ? {} : { witness: outcome(echo, witness) }),
          });
          // Tree and bytes are the same each time.
          const [first, ...rest] = explain(FAKE_PROGRAM, found).filter(
            (line) => !/^ {2}/.test(line) || /\.c:/.test(line),
          );
          lines.push(
            `### ${name}; ${says}; ${engines.join()}`,
            first!,
            ...rest.filter((line) => line !== ''),
          );
        }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/other-findings.txt');
  });

  it('sequences and worlds are as recorded', async () => {
    const lines: string[] = [];
    const packets = Array.from({ length: 15 }, (_, index) =>
      eth4(1, icmp(8, 0, [0, index, 0, 1], data(index))),
    );
    const world: Case['world'] = {
      maps: { rules: [{ key: Uint8Array.of(1), value: Uint8Array.of(2) }] },
      globals: { limit: Uint8Array.of(9, 0) },
      devices: [{ name: 'eth7', ifindex: 7 } as never],
      routes: [{ to: '10.0.0.0/8', ifindex: 7 } as never, { to: '10.1.0.0/16', type: 'blackhole' } as never],
      neighbours: [{ address: '10.0.0.9', ifindex: 7 } as never],
    };
    for (const [shown, packet] of [
      [caseOf(...packets), 14],
      [caseOf(...packets), 11],
      [caseOf(...packets), 12],
      [caseOf(...packets.slice(0, 2)), 0],
      [{ ...caseOf(echo), world }, 0],
      [
        {
          ...caseOf(echo),
          stimuli: [
            {
              packet: echo,
              metadata: Uint8Array.of(1, 2, 3, 4),
              ingressIfindex: 3,
              rxQueueIndex: 2,
              entry: 1,
              skb: { mark: 9 },
            },
          ],
        } as Case,
        0,
      ],
    ] as const) {
      const finding = { ...compared('action', echo, { action: XDP_PASS }, {}), packet };
      const text = explain(FAKE_PROGRAM, divergence(finding, shown));
      lines.push(
        '###',
        ...text.slice(
          0,
          text.findIndex((line) => line.startsWith('The packet')),
        ),
      );
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/sequences.txt');
  });

  it('states, what was kept and what was not are as recorded', async () => {
    const lines: string[] = [];
    const finding = compared('action', echo, { action: XDP_PASS }, {});
    for (const more of [
      { state: 'saved' },
      { state: 'found' },
      { state: 'not repeated' },
      { state: 'cut short' },
      { state: 'cut short', stopped: { after: 'attempts', limit: 300 } },
      { state: 'shrunk', seen: { file: 'a.pcapng' } },
      { state: 'shrunk', seen: { seed: 'seven', packet: 19_999 } },
      { state: 'shrunk', seen: { seed: 'seven', packet: 20_000 } },
      { state: 'shrunk', file: 'corpus/regressions/fake/it is.pcapng' },
    ] as Partial<Divergence>[]) {
      const text = explain(FAKE_PROGRAM, divergence(finding, caseOf(echo), more), { run: RUN });
      lines.push(JSON.stringify(more), text[1]!, ...text.slice(text.lastIndexOf('') + 1));
    }
    const unsaved = { path: 'a/b.pcapng', reason: 'no space left on the device' };
    for (const saved of [
      {},
      { file: 'x' },
      { file: 'a/b.pcapng', unsaved },
      { file: '/tmp/b.pcapng', unsaved },
      { unsaved },
      { unsaved: { ...unsaved, base64: 'A'.repeat(153) } },
      { unsaved: { ...unsaved, base64: 'A'.repeat(32 * 1024) } },
      { unsaved: { ...unsaved, base64: 'A'.repeat(32 * 1024 + 1) } },
    ]) {
      const kept = keptLines(saved);
      lines.push(`### kept: ${kept.length} lines`, ...kept.slice(0, 6));
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/states.txt');
  });
});

describe('of maps', () => {
  const little = (size: number, ...values: number[]): Uint8Array =>
    bytes(
      ...values.map((value) =>
        Array.from({ length: size }, (_, index) => (index < 4 ? (value >>> (8 * index)) & 0xff : 0)),
      ),
    );

  it.each([
    [little(8, 2, 98), little(8, 4, 196), 1, 'counted twice: every number is 2 times what it should be'],
    [little(8, 2, 98), little(8, 6, 294), 1, 'counted 3 times: every number is 3 times what it should be'],
    [little(8, 4, 196), little(8, 2, 98), 1, 'counted too seldom: every number should be 2 times as large'],
    [little(8, 0, 98), little(8, 0, 196), 1, 'counted twice: every number is 2 times what it should be'],
    [little(8, 2, 98), little(8, 2, 112), 1, 'number 2 of 2 is off by 14: the Ethernet header?'],
    [little(8, 2, 98), little(8, 2, 84), 1, 'number 2 of 2 is off by -14: the Ethernet header?'],
    [little(8, 2, 98), little(8, 2, 126), 2, 'number 2 of 2 is off by 28, 14 a packet: the Ethernet header?'],
    [little(8, 2, 98), little(8, 2, 127), 2, 'number 2 of 2 is off by 29'],
    [little(8, 2, 98), little(8, 3, 98), 3, 'number 1 of 2 is off by 1'],
    [little(4, 5), little(4, 10), 1, 'counted twice: every number is 2 times what it should be'],
    [little(4, 5, 1, 1), little(4, 10, 1, 1), 1, 'number 1 of 3 is off by 5'],
    [Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 4), 1, 'number 3 of 3 is off by 1'],
    [little(4, 0x1_0000), little(4, 0x1_0001), 1, 'number 1 of 1 is off by 1'],
    [undefined, little(4, 1), 1, 'an entry was made that should not be there'],
    [little(4, 1), undefined, 1, 'no entry was made'],
  ])('a value (row %#)', (expected, got, packets, cause) => {
    const map = { map: 'counts', definition: COUNTS, key: little(4, 1), expected, got };
    expect(mapCause(map, packets)).toBe(cause);
  });

  it('a value of fields that are known', () => {
    const map = {
      map: 'counts',
      definition: COUNTS,
      key: little(4, 1),
      expected: little(4, 7, 0, 9, 1),
      got: little(4, 7, 0, 9, 0),
    };
    const numbers = { expected: [7n, 9n, 1n], got: [7n, 9n, 0n] };
    expect(mapCause(map, 1, numbers)).toBe('number 3 of 3 is off by -1');
  });

  it('explanations are as recorded', async () => {
    const lines: string[] = [];
    for (const type of ['HASH', 'PERCPU_HASH']) {
      const finding: Finding = {
        engines: ['model', 'vm'],
        part: 'map',
        field: 'map counts',
        packet: 0,
        expected: undefined,
        got: undefined,
        map: {
          map: 'counts',
          definition: { ...COUNTS, type } as typeof COUNTS,
          key: little(4, 258),
          expected: little(4, 3),
          got: little(4, 9),
        },
      };
      lines.push(...explain(FAKE_PROGRAM, divergence(finding, caseOf(echo, echo))));
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/maps.txt');
  });
});
