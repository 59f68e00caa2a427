/**
 * Programs in the styles of public projects, each in a right form, which must stay silent, and in a faulty one, whose
 * fault must be found without any model. One C file a style; see `styles.h` for how a fault is switched on.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { GeneratorHints, NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';

export interface StyledProgram {
  /** The function's name; `<style>:<name>` names it in reports. */
  readonly name: string;
  readonly style: string;
  readonly hook: Hook;
  /**
   * What the faulty form is caught with: `refused` (the machine stops it, as the kernel's verifier does), `refused by the
   * kernel` (alone: what the verifier forbids does no harm to any packet), or the field of the finding, in part or
   * whole: `tcp.checksum`, `length`.
   */
  readonly fault: 'refused' | 'refused by the kernel' | (string & {});
  readonly worlds?: readonly NamedWorld[];
  readonly hints?: GeneratorHints;
}

const TCP: GeneratorHints = { kinds: { tcp: 12, tcp6: 2 }, ports: [22, 23, 80, 443] };
const UDP: GeneratorHints = { kinds: { udp: 12, udp6: 2 }, ports: [19, 53, 80, 4789, 33434] };
const IP6: GeneratorHints = { kinds: { tcp6: 6, udp6: 6, 'icmpv6-echo': 6 } };
const ECHO: GeneratorHints = { kinds: { 'icmp-echo': 12, 'icmpv6-echo': 8 } };
/** Few sources, so that buckets run empty. */
const CROWD: GeneratorHints = { addresses: ['10.0.0.1', '10.0.0.2', '2001:db8::1'], ...ECHO };
const PREFIX6: GeneratorHints = {
  kinds: { tcp6: 6, udp6: 6, 'icmpv6-echo': 6, tcp: 3, udp: 3, 'icmp-echo': 3 },
  addresses: ['64:ff9b::c000:207', '64:ff9b::a00:1', '192.0.2.7'],
};

function xdp(style: string, name: string, fault: string, rest: Partial<StyledProgram> = {}): StyledProgram {
  return { name, style, hook: 'xdp', fault, ...rest };
}

function tc(style: string, name: string, fault: string, rest: Partial<StyledProgram> = {}): StyledProgram {
  return { name, style, hook: 'tc-ingress', fault, ...rest };
}

/** A hint, a world: what most of the register's lines add. */
function aims(hints: GeneratorHints, world?: World): Partial<StyledProgram> {
  return { hints, ...(world === undefined ? {} : { worlds: [{ name: 'filled', world }] }) };
}

const SERVICES: World = {
  maps: {
    services: [6, 17].map((proto) => entry([0, 0, 0, 0, ...be16(80), proto, 0], u32(proto))),
    backends: range(64).map((index) => entry(u32(index), [10, 1, 0, index, 2, 0, 0, 0, 1, index, 0, 0])),
  },
};

const NEIGHBOURHOOD: World = {
  devices: [
    {
      ifindex: 2,
      name: 'left',
      mac: macFromText('02:00:00:00:00:02'),
      addresses: ['10.0.0.254/24'],
      forwarding: true,
    },
    {
      ifindex: 3,
      name: 'right',
      mac: macFromText('02:00:00:00:00:03'),
      addresses: ['10.0.1.254/24'],
      forwarding: true,
    },
  ],
  neighbours: [
    { ifindex: 2, address: '10.0.0.1', mac: macFromText('02:00:00:00:01:01') },
    { ifindex: 3, address: '10.0.1.1', mac: macFromText('02:00:00:00:01:02') },
  ],
};

export const STYLED_PROGRAMS: readonly StyledProgram[] = [
  xdp('limiter', 'rl_token_bucket', 'refused', aims(CROWD)),
  xdp('limiter', 'rl_window', 'refused by the kernel'),
  xdp('limiter', 'rl_syn', 'refused', aims(TCP)),
  xdp('limiter', 'rl_shared', 'refused by the kernel'),
  tc('limiter', 'rl_echo', 'refused', aims(CROWD)),

  xdp('syn', 'syn_cookie', 'tcp.checksum', aims(TCP)),
  xdp('syn', 'syn_check', 'refused', aims(TCP)),
  xdp('syn', 'syn_mss', 'tcp.checksum', aims({ kinds: { tcp: 20 } })),
  xdp('syn', 'syn_reset', 'length', aims({ kinds: { tcp: 20 }, ports: [23] })),
  tc('syn', 'syn_count', 'refused', aims(TCP)),

  xdp('conntrack', 'ct_track', 'refused', aims(TCP)),
  xdp('conntrack', 'ct_reverse', 'refused by the kernel', aims(TCP)),
  xdp('conntrack', 'ct_timeout', 'refused', aims(TCP)),
  tc('conntrack', 'ct_egress', 'refused', { hook: 'tc-egress', ...aims(TCP) }),
  tc('conntrack', 'ct_snat', 'checksum', { hook: 'tc-egress', ...aims(TCP) }),

  xdp('sampler', 'sample_perf', 'refused'),
  xdp('sampler', 'sample_ring', 'refused by the kernel'),
  xdp('sampler', 'sample_last', 'refused'),
  tc('sampler', 'sample_hash', 'refused'),
  tc('sampler', 'sample_sketch', 'refused'),

  xdp('tunnel', 'tun_ipip_push', 'length'),
  xdp('tunnel', 'tun_ipip_pop', 'refused', aims({ kinds: { 'ip-other': 12 }, protocols: [4] })),
  xdp('tunnel', 'tun_gre_push', 'ipv4.checksum'),
  xdp('tunnel', 'tun_gre_pop', 'refused by the kernel', aims({ kinds: { 'ip-other': 12 }, protocols: [47] })),
  xdp('tunnel', 'tun_vxlan_push', 'udp.checksum'),
  xdp('tunnel', 'tun_vxlan_pop', 'refused', aims({ kinds: { udp: 12 }, ports: [4789] })),
  xdp('tunnel', 'tun_4in6_push', 'length'),
  tc('tunnel', 'tun_6in4_push', 'ipv4.checksum', aims(IP6)),
  xdp('tunnel', 'tun_gue_push', 'udp.checksum'),

  xdp('vlan', 'vlan_pop', 'refused'),
  xdp('vlan', 'vlan_push', 'refused'),
  xdp('vlan', 'vlan_renumber', 'refused by the kernel', {
    worlds: [
      {
        name: 'mirrored',
        world: { maps: { renumbered: range(4096).map((vid) => entry(u32(vid), u16(4095 - vid))) } },
      },
    ],
  }),
  xdp('vlan', 'vlan_unstack', 'ipv4.checksum'),
  xdp('vlan', 'vlan_priority', 'refused'),
  xdp('vlan', 'vlan_strip', 'ethertype/stale'),
  tc('vlan', 'vlan_tc_push', 'refused'),
  tc('vlan', 'vlan_tc_pop', 'refused by the kernel'),

  xdp('nat64', 'nat64_to4', 'udp.checksum', aims(PREFIX6)),
  xdp('nat64', 'nat64_to6', 'udp.checksum', aims(PREFIX6)),
  tc('nat64', 'nat64_tc_echo', 'icmp.checksum', aims(PREFIX6)),

  xdp('balancer', 'lb_mac', 'refused', aims({ ...UDP, kinds: { udp: 6, tcp: 6 } }, SERVICES)),
  xdp('balancer', 'lb_nat_udp', 'udp.checksum', aims(UDP, SERVICES)),
  xdp('balancer', 'lb_nat_tcp', 'tcp.checksum', aims(TCP, SERVICES)),
  xdp('balancer', 'lb_tunnel', 'length', aims({ ...UDP, kinds: { udp: 6, tcp: 6 } }, SERVICES)),
  xdp('balancer', 'lb_nat6', 'udp.checksum', aims(IP6)),
  tc('balancer', 'lb_tc', 'udp.checksum', aims(UDP)),

  xdp('dispatcher', 'disp_udp', 'refused', aims(UDP)),
  xdp('dispatcher', 'disp_icmp', 'ipv4.checksum', aims(ECHO)),
  xdp('dispatcher', 'disp_protocol', 'refused', aims(ECHO)),
  xdp('dispatcher', 'disp_second', 'refused'),
  xdp('dispatcher', 'disp_stages', 'refused'),
  xdp('dispatcher', 'disp_again', 'refused by the kernel'),
  xdp('dispatcher', 'disp_chain', 'refused'),
  tc('dispatcher', 'disp_tc_last', 'refused'),
  tc('dispatcher', 'disp_tc', 'refused'),

  xdp('subprograms', 'sub_void', 'refused'),
  xdp('subprograms', 'sub_constant', 'refused'),
  xdp('subprograms', 'sub_pointers', 'refused', aims(UDP)),
  xdp('subprograms', 'sub_global', 'refused'),
  xdp('subprograms', 'sub_deep', 'refused'),
  xdp('subprograms', 'sub_loop', 'refused'),
  xdp('subprograms', 'sub_each', 'refused'),
  tc('subprograms', 'sub_ld_abs', 'refused'),

  xdp('large', 'large_bitmap', 'refused'),
  xdp('large', 'large_lru', 'refused', aims(CROWD)),
  xdp('large', 'large_ports', 'refused', aims(UDP)),
  xdp('large', 'large_prefixes', 'refused', aims(CROWD)),
  tc('large', 'large_hosts', 'refused', aims(IP6)),

  xdp(
    'filter',
    'filter_bitmap',
    'refused by the kernel',
    aims(UDP, { maps: { open_ports: [entry(u32(1), [0, 0, 1, 0, 0, 0, 0, 0])] } }),
  ),
  xdp('filter', 'filter_fragments', 'refused', aims(UDP)),
  xdp('filter', 'filter_extensions', 'refused', aims(IP6)),
  xdp('filter', 'filter_dns', 'refused', aims({ kinds: { udp: 20 }, ports: [53] })),
  tc('filter', 'filter_http', 'refused', aims(TCP)),
  xdp(
    'filter',
    'filter_rules',
    'refused by the kernel',
    aims(UDP, {
      maps: {
        rules: [
          entry(u32(0), [10, 0, 0, 0, 255, 0, 0, 0, ...be16(53), 17, 1]),
          entry(u32(1), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 2]),
        ],
      },
    }),
  ),

  xdp('responder', 'answer_echo', 'icmp.checksum', aims(ECHO)),
  xdp('responder', 'answer_echo6', 'icmpv6.checksum', aims(ECHO)),
  xdp('responder', 'answer_arp', 'refused', aims({ kinds: { arp: 10 } })),
  xdp('responder', 'answer_unreachable', 'ipv4.checksum', aims({ kinds: { udp: 20 }, ports: [33434] })),
  xdp('responder', 'answer_expired6', 'icmpv6.checksum', aims(IP6)),
  xdp('responder', 'forward_fib', 'ipv4.checksum', {
    ...aims(
      { addresses: ['10.0.0.1', '10.0.1.1'], kinds: { udp: 6, tcp: 6 }, ingressIfindexes: [2, 3] },
      NEIGHBOURHOOD,
    ),
  }),
  xdp(
    'responder',
    'forward_map',
    'refused',
    aims(IP6, { ...NEIGHBOURHOOD, maps: { ports: [entry(u32(0), u32(2)), entry(u32(1), u32(3))] } }),
  ),
  tc('responder', 'mirror', 'refused'),
];

/** A style's object, right or faulty. Compiled once for each process. */
export function buildStyle(style: string, form: 'right' | 'faulty'): Uint8Array {
  const key = `${style} ${form}`;
  let object = built.get(key);
  if (object === undefined) {
    object = compile(style, form);
    built.set(key, object);
  }
  return object;
}

const built = new Map<string, Uint8Array>();

/** @throws {Error} with the compiler's messages */
function compile(style: string, form: 'right' | 'faulty'): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-style-'));
  try {
    const object = join(scratch, `${style}.o`);
    const options = form === 'faulty' ? ['-DFAULTY', '-Wno-unused'] : [];
    compileBpf(`kernel-tests/styles/${style}.bpf.c`, object, { options });
    return new Uint8Array(readFileSync(object));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export function programOf({ style, name, hook }: StyledProgram, form: 'right' | 'faulty'): Program {
  return {
    name: `${style}:${name}`,
    entries: [{ function: name, hook }],
    object: buildStyle(style, form),
    objectPath: `${style}.o`,
  };
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function entry(key: ArrayLike<number>, value: ArrayLike<number>): MapEntry {
  return { key: Uint8Array.from(key), value: Uint8Array.from(value) };
}

function u16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function be16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function u32(value: number): number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}
