/**
 * Programs in the styles that the field writes them in, which no one had the machine in mind with: each an object of
 * its own, the worlds that fill its maps, and what packets should aim at so that they reach its depths.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { withFrags } from '../../sim/engines/object-entries.ts';
import { addressFromText, macFromText } from '../../sim/packet/addresses.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { GeneratorHints, NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { MapEntry } from '../../sim/runtime/world.ts';

export interface FieldProgram {
  /** The C file's stem. */
  readonly name: string;
  /** Functions of the object that packets are given to, in the order in which they are. */
  readonly functions: readonly string[];
  readonly hook: Hook;
  /** Default: one, with nothing in the maps. */
  readonly worlds?: readonly NamedWorld[];
  readonly hints?: GeneratorHints;
}

const ROUTER = '192.0.2.1';
const INSIDE = ['10.0.0.1', '10.0.0.2', '10.1.2.3', '172.16.5.4'];
const INSIDE6 = ['2001:db8::1', '2001:db8:1::2', 'fe80::1'];
const MAC = macFromText('02:00:00:00:00:99');

export const FIELD_PROGRAMS: readonly FieldProgram[] = [
  {
    name: 'load_balancer',
    functions: ['load_balancer'],
    hook: 'xdp',
    worlds: [{ name: 'backends', world: { maps: { backends: range(14).map(backend) } } }],
    hints: { kinds: { tcp: 6, udp: 6 } },
  },
  {
    name: 'nat',
    functions: ['nat_egress', 'nat_ingress'],
    hook: 'tc-egress',
    worlds: [
      {
        name: 'sessions',
        world: {
          maps: {
            inside: INSIDE.map((address, index) =>
              entry(endpoint(address, 80), endpoint(ROUTER, 4000 + index)),
            ),
            outside: INSIDE.map((address, index) =>
              entry(endpoint(ROUTER, 4000 + index), endpoint(address, 80)),
            ),
          },
        },
      },
    ],
    hints: {
      kinds: { tcp: 8, udp: 8 },
      addresses: [...INSIDE, ROUTER],
      ports: [80, 4000, 4001, 4002, 4003],
    },
  },
  {
    name: 'ipip',
    functions: ['ipip_encap', 'ipip_decap'],
    hook: 'xdp',
    worlds: [
      {
        name: 'tunnels',
        world: {
          maps: {
            tunnels: INSIDE.map((address, index) =>
              entry(
                addressFromText(address),
                bytes(addressFromText(ROUTER), addressFromText(`198.51.100.${index}`), MAC, 0, 0),
              ),
            ),
          },
        },
      },
    ],
    hints: { kinds: { tcp: 3, udp: 3, 'ip-other': 8 }, addresses: INSIDE, protocols: [4, 41] },
  },
  {
    name: 'vxlan',
    functions: ['vxlan_encap', 'vxlan_decap'],
    hook: 'xdp',
    worlds: [{ name: 'networks', world: { maps: { networks: [0, 3].map(vxlanNetwork) } } }],
    hints: { kinds: { udp: 8 }, ports: [4789] },
  },
  {
    name: 'rate_limiter',
    functions: ['rate_limiter'],
    hook: 'xdp',
    worlds: [
      { name: 'empty', world: {} },
      { name: 'generous', world: { globals: { burst: u32(100) } } },
    ],
    hints: { addresses: INSIDE },
  },
  {
    name: 'lpm_firewall',
    functions: ['lpm_firewall', 'lpm_learn'],
    hook: 'xdp',
    worlds: [
      {
        name: 'rules',
        world: {
          maps: {
            rules4: [
              rule('0.0.0.0', 0, 2),
              rule('10.0.0.0', 8, 1),
              rule('10.0.0.0', 30, 3),
              rule('10.0.0.2', 32, 1),
              rule('172.16.0.0', 12, 7),
            ],
            rules6: [rule('::', 0, 2), rule('2001:db8::', 32, 1), rule('2001:db8:1::2', 128, 3)],
          },
        },
      },
      { name: 'empty', world: {} },
    ],
    hints: { addresses: [...INSIDE, ...INSIDE6], kinds: { 'icmp-echo': 4 } },
  },
  {
    name: 'vlan_xdp',
    functions: ['vlan_xdp'],
    hook: 'xdp',
    worlds: [
      {
        name: 'translation',
        world: { maps: { translation: range(4095).map((vid) => entry(u32(vid), u16(4095 - vid))) } },
      },
      { name: 'empty', world: {} },
    ],
  },
  { name: 'vlan_tc', functions: ['vlan_pop', 'vlan_push'], hook: 'tc-egress' },
  {
    name: 'ipv6_extensions',
    functions: ['ipv6_extensions'],
    hook: 'xdp',
    hints: { kinds: { tcp6: 8, udp6: 8, 'icmpv6-echo': 4 } },
  },
  { name: 'flow_walk', functions: ['flow_walk'], hook: 'xdp' },
  { name: 'sampler', functions: ['sampler'], hook: 'xdp' },
  { name: 'shared_bucket', functions: ['shared_bucket'], hook: 'xdp' },
  {
    name: 'policy_tables',
    functions: ['policy_tables'],
    hook: 'xdp',
    worlds: [
      {
        name: 'tables',
        world: {
          maps: {
            even_ports: [80, 443, 53].map((port, index) => entry(be16(port), u32(index))),
            odd_ports: [80, 22].map((port) => entry(be16(port), u32(9))),
          },
        },
      },
    ],
    hints: { kinds: { tcp: 4, udp: 4 }, ports: [80, 443, 53, 22] },
  },
  {
    name: 'port_pool',
    functions: ['port_pool'],
    hook: 'xdp',
    hints: { kinds: { udp: 3, tcp: 3, 'icmp-other': 3 } },
  },
  {
    name: 'frags_bytes',
    functions: ['frags_bytes'],
    hook: 'xdp',
    hints: { kinds: { 'ip-other': 12 }, protocols: [253] },
  },
  {
    name: 'skb_resize',
    functions: ['room_encap', 'room_decap', 'trailer', 'link_header'],
    hook: 'tc-ingress',
    hints: { protocols: [4, 47], kinds: { 'ip-other': 4, arp: 3 } },
  },
  { name: 'text', functions: ['text'], hook: 'tc-ingress' },
  { name: 'subprograms', functions: ['subprograms'], hook: 'xdp' },
  { name: 'static_functions', functions: ['static_functions'], hook: 'xdp' },
  {
    name: 'classic_loads',
    functions: ['classic_loads'],
    hook: 'tc-ingress',
    hints: { kinds: { udp: 4, tcp: 4 } },
  },
  {
    name: 'too_big',
    functions: ['too_big'],
    hook: 'xdp',
    worlds: [
      { name: 'small', world: {} },
      { name: 'tiny', world: { globals: { mtu: u16(40) } } },
    ],
    hints: { kinds: { tcp: 6, udp: 6 } },
  },
  { name: 'optional_helpers', functions: ['optional_helpers'], hook: 'xdp' },
  { name: 'socket_fields', functions: ['socket_fields', 'set_hash'], hook: 'tc-ingress' },
  { name: 'formats', functions: ['formats', 'events_lost'], hook: 'tc-ingress' },
  { name: 'globals', functions: ['globals'], hook: 'xdp' },
];

/**
 * Compiles one of them.
 * @throws {Error} with the compiler's messages
 */
export function buildFieldProgram({ name, functions, hook }: FieldProgram): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-field-'));
  try {
    const object = join(scratch, `${name}.o`);
    compileBpf(`kernel-tests/field/${name}.bpf.c`, object);
    const bytes = new Uint8Array(readFileSync(object));
    const entries = functions.map((one) => ({ function: one, hook }));
    return { name, entries: withFrags(entries, loadObject(bytes)), object: bytes };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function entry(key: Uint8Array, value: Uint8Array): MapEntry {
  return { key, value };
}

function bytes(...parts: (Uint8Array | number)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])));
}

function u16(value: number): Uint8Array {
  return bytes(value & 0xff, value >> 8);
}

function be16(value: number): Uint8Array {
  return bytes(value >> 8, value & 0xff);
}

function u32(value: number): Uint8Array {
  return bytes(u16(value & 0xffff), u16(value >>> 16));
}

/** `struct backend`: MAC, up, packets, bytes. */
function backend(index: number): MapEntry {
  const mac = bytes(2, 0, 0, 0, 1, index);
  return entry(u32(index), bytes(mac, u16(index % 7 === 3 ? 0 : 1), new Uint8Array(16)));
}

/** `struct endpoint`, for UDP. */
function endpoint(address: string, port: number): Uint8Array {
  return bytes(addressFromText(address), be16(port), 17, 0);
}

/** `struct key4` or `struct key6`, and `struct rule`. */
function rule(network: string, length: number, action: number): MapEntry {
  return entry(bytes(u32(length), addressFromText(network)), bytes(u32(action), new Uint8Array(12)));
}

/** `struct network`: counters, then the outer headers without lengths and checksums, padded to 72 bytes. */
function vxlanNetwork(number: number): MapEntry {
  const ethernet = bytes(MAC, MAC, 0x08, 0x00);
  const ip = bytes(0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, addressFromText(ROUTER), 198, 51, 100, 7);
  const udp = bytes(be16(49152 + number), be16(4789), 0, 0, 0, 0);
  const vxlan = bytes(8, 0, 0, 0, 0, 0, number, 0);
  return entry(u32(number), bytes(new Uint8Array(16), ethernet, ip, udp, vxlan, new Uint8Array(6)));
}
