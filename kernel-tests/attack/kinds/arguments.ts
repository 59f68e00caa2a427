/** Words of the command line: filters, and the values of options that have a grammar. */

import { splitWords } from '../../../cli/compile/words.ts';
import { parseAims } from '../../../cli/input/aim.ts';
import { parseFilterOption } from '../../../cli/input/filter-option.ts';
import { parseKernelVersion } from '../../../cli/input/kernel-version.ts';
import { readMaps, targetOf } from '../../../cli/input/map-file.ts';
import { withMaxEntries } from '../../../cli/input/max-entries.ts';
import { parseCount, parseDurationOrOff, parsePercent } from '../../../cli/input/options.ts';
import { builtInPrograms, resolvePrograms } from '../../../cli/input/program-source.ts';
import { fieldNames, protocolNames } from '../../../corpus/filter/names.ts';
import { programs } from '../../../sim/programs/index.ts';
import { hintsOf } from '../../../sim/runtime/program.ts';
import { behindLabel } from '../damage/damage.ts';
import { damageWords } from '../damage/words.ts';
import { bytesOf, type InputKind, textOf } from './input-kind.ts';

const PACKETS = programs.flatMap(({ examples }) =>
  examples.slice(0, 1).map(({ stimulus }) => stimulus.packet),
);
const router = builtInPrograms().find(({ name }) => name === 'router')!;

const WRITTEN = [
  'tcp.dport == 80 && ip.ttl < 2',
  'udp && ip.src == 10.0.0.0/8',
  'ip.ttl in {1, 2} || ipv6.hlim <= 1',
  'ipv6.dst == fe80::/10 or !(vlan.id != 7)',
  'tcp.srcport == tcp.dstport',
  'tcp.dport in {22, 80, 8000..8080} and not arp',
  'tcp.flags & 0x12 == 0x02 || tcp.flags.syn == 1',
  'eth.src[0:3] == 00:1b:21 && frame[12:2] == 81:00 && eth.dst[5] == 1',
  'frame contains "GET" || frame contains de:ad',
  'frame.len > 1514 && ip.addr == 10.0.0.1',
];
/** Every field and every protocol that has a name. */
const NAMED = [...fieldNames().keys(), ...protocolNames().keys()].map((name) => `${name} || !${name}`);

function filter(bytes: Uint8Array): void {
  const { matches } = parseFilterOption(textOf(bytes));
  for (const packet of PACKETS) {
    matches(packet);
    matches(packet, 14, packet.length, 'ipv4');
    matches(packet.subarray(0, packet.length >> 1));
  }
}

/** Options by the label in front of their values. */
const OPTIONS: Readonly<Record<string, (value: string) => unknown>> = {
  aim: (value) => hintsOf({ ...router, hints: parseAims([value]) }),
  map: (value) => readMaps([value], targetOf(router)),
  'max-entries': (value) => withMaxEntries([router], [value]),
  'as-kernel': parseKernelVersion,
  count: parseCount('--runs'),
  time: parseDurationOrOff('--time'),
  percent: parsePercent('--min-coverage'),
  cflags: (value) => splitWords(value, '--cflags'),
  program: (value) => resolvePrograms([value]),
};

const VALUES = [
  'aim port=34567,vlan=100,address=203.0.113.7,mac=02:00:00:00:00:01',
  'aim protocol=17,icmp-type=8,icmpv6-type=128,tcp-option=mss,address=2001:db8::1',
  ...targetOf(router).maps.map(({ name }) => `map ${name}=/nonexistent.json`),
  ...targetOf(router).maps.map(({ name }) => `max-entries ${name}=4096`),
  ...[
    'as-kernel 6.1',
    'as-kernel v6.12.3-amd64',
    'count 20k',
    'count 1_000',
    'time 500ms',
    'time 0',
    'percent 80%',
  ],
  'cflags -Iinclude "-DNAME=a b" -D\'X\'=1 a\\ b',
  ...['program router', 'program /nonexistent.o:function', 'program ./my.model.ts'],
];

function option(bytes: Uint8Array): unknown {
  const text = textOf(bytes);
  const blank = text.indexOf(' ');
  return OPTIONS[text.slice(0, blank)]!(text.slice(blank + 1));
}

export const ARGUMENT_KINDS: readonly InputKind[] = [
  {
    name: 'filters',
    share: 90,
    seeds: [...WRITTEN, ...WRITTEN, ...NAMED].map(bytesOf),
    damage: damageWords,
    read: filter,
  },
  {
    name: 'options',
    share: 80,
    seeds: VALUES.map(bytesOf),
    damage: behindLabel(damageWords),
    read: option,
  },
];
