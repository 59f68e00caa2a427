/**
 * Small programs, each in two forms: one with a fault of those that real programs have, for which `check` must name the
 * right invariant, and its right twin, of which `check` must say nothing worse than a note. One source holds several of
 * them, and is compiled four ways: XDP and TC, right and faulty.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { checksumId } from '../../verify/invariants/checksum-rules.ts';
import { CHECKSUM_SPECIMENS, SPECIMEN_HOOKS } from '../checksum-specimens/specimens.ts';

export interface CheckSpecimen {
  /** The C function. */
  readonly name: string;
  /** The source, relative to kernel-tests/, without `.bpf.c`. */
  readonly source: string;
  readonly hooks: readonly Hook[];
  /** What `check` must name in the faulty form. */
  readonly invariant: string;
  /** Default: the empty world. */
  readonly world?: World;
  /** Kernels as which it is checked, too. */
  readonly asKernels?: readonly string[];
}

type Rest = Partial<Pick<CheckSpecimen, 'hooks' | 'world' | 'asKernels'>>;

/** The specimens of one source: function and invariant. */
function of(
  source: string,
  ...rows: readonly (readonly [name: string, invariant: string, rest?: Rest])[]
): CheckSpecimen[] {
  return rows.map(([name, invariant, rest = {}]) => ({
    name,
    invariant,
    source: `check-specimens/${source}`,
    hooks: SPECIMEN_HOOKS,
    ...rest,
  }));
}

const XDP: Rest = { hooks: ['xdp'] };
const TC: Rest = { hooks: ['tc-ingress'] };

/** The four slots that the right form uses; the faulty one takes eight for granted. */
const PORTS: World = {
  devices: [2, 3, 4, 5].map((ifindex) => ({
    ifindex,
    name: `port${ifindex}`,
    mac: macFromText(`02:00:00:00:00:0${ifindex}`),
  })),
  maps: {
    ports: [0, 1, 2, 3].map((slot) => ({ key: word(slot), value: word(slot + 2) })),
  },
};

const ROUTER: World = {
  devices: [
    {
      ifindex: 2,
      name: 'left',
      mac: macFromText('02:00:00:00:00:02'),
      addresses: ['10.0.0.254/24'],
      forwarding: true,
    },
  ],
  routes: [{ to: '0.0.0.0/0', via: '10.0.0.1', ifindex: 2 }],
  neighbours: [{ ifindex: 2, address: '10.0.0.1', mac: macFromText('02:00:00:00:01:01') }],
};

function word(value: number): Uint8Array {
  return Uint8Array.of(value, 0, 0, 0);
}

/** Those that the oracle's own suite has, too: what it finds there by its kinds of packets, `check` finds without. */
const OF_THE_ORACLE: readonly CheckSpecimen[] = CHECKSUM_SPECIMENS.map(({ name, field, cause, hooks }) => ({
  name,
  source: `checksum-specimens/${name}`,
  hooks: hooks ?? SPECIMEN_HOOKS,
  invariant: cause === undefined ? field : checksumId(cause),
}));

export const OWN_SPECIMENS: readonly CheckSpecimen[] = [
  ...of(
    'answers',
    ['ttl_expired', 'ttl/expired'],
    ['ttl_wrapped', 'ttl/wrapped'],
    ['hop_limit_expired', 'ttl/expired'],
    ['mss_set', 'tcp/mss-raised', XDP],
    ['echo_group', 'reply/group-source'],
    ['echo_unset', 'reply/zero-source'],
    ['echo_anyone', 'reply/to-group'],
    ['unknown_action', 'action/unknown'],
    ['error_returned', 'action/unknown'],
  ),
  ...of(
    'neighbours',
    ['arp_operation', 'arp/operation'],
    ['arp_format', 'arp/format'],
    ['arp_half', 'arp/addresses'],
    ['arp_unfilled', 'arp/sender-mac'],
    ['arp_target', 'arp/target-mac'],
    ['arp_asker', 'reply/same-macs'],
    ['neighbour_hops', 'neighbour/hop-limit'],
    ['neighbour_option', 'neighbour/option-length'],
    ['neighbour_code', 'neighbour/code'],
    ['router_source', 'neighbour/router-source'],
    ['neighbour_type', 'neighbour/no-address'],
    ['neighbour_asker', 'neighbour/askers-address'],
    ['neighbour_flags', 'neighbour/flags'],
    ['neighbour_unsolicited', 'neighbour/solicited'],
    ['neighbour_target', 'neighbour/target'],
  ),
  ...of(
    'errors',
    ['quote_short', 'reply/short-quote', XDP],
    ['quote_long', 'reply/long-quote', XDP],
    ['mtu_swapped', 'reply/mtu', XDP],
  ),
  ...of(
    'redirects',
    ['redirect_bare', 'redirect/no-target'],
    ['redirect_zero', 'redirect/no-target'],
    ['redirect_flags', 'redirect/refused'],
    ['redirect_unused', 'redirect/unused'],
    ['ttl_step', 'ttl/step'],
    ['ttl_left', 'ttl/not-lowered', { world: ROUTER }],
    ['redirect_slot', 'redirect/empty-slot', { ...XDP, world: PORTS }],
    ['redirect_ignored', 'redirect/no-target', { ...XDP, world: PORTS }],
  ),
  ...of(
    'lookups',
    ['mac_left', 'lookup/mac-left'],
    ['source_mac_left', 'lookup/source-mac-left'],
    ['macs_exchanged', 'lookup/macs-exchanged'],
    ['addresses_exchanged', 'lookup/addresses-exchanged'],
    ['device_left', 'lookup/device-left'],
    ['no_neighbour', 'lookup/no-neighbour'],
    ['other_family', 'lookup/family'],
    ['length_swapped', 'lookup/byte-order'],
    ['not_cleared', 'lookup/not-cleared'],
  ),
  ...of(
    'parameters',
    ['socket_ports', 'lookup/byte-order'],
    ['tunnel_remote', 'lookup/byte-order', TC],
    ['tunnel_flags', 'helper/refused', TC],
  ),
  ...of(
    'garbage',
    ['stack_sent', 'uninitialized/frame'],
    ['stack_decides', 'uninitialized/decision'],
    ['stack_key', 'uninitialized/map'],
    ['scratch_kept', 'uninitialized/left-over'],
    ['head_unwritten', 'uninitialized/frame', XDP],
    ['meta_unwritten', 'uninitialized/metadata', XDP],
  ),
  ...of(
    'counters',
    ['counter_plain', 'counter/lost-update'],
    ['counter_shared', 'counter/lost-update'],
    ['counter_global', 'counter/lost-update'],
    ['counter_unlocked', 'counter/lost-update'],
  ),
  ...of(
    'protocols',
    ['sctp_ports', 'checksum/sctp'],
    ['tcp_assumed', 'checksum/sctp'],
    ['esp_written', 'payload/overwritten'],
    ['udplite_address', 'checksum/udplite'],
    ['fragment_read', 'fragments/ports-read'],
    ['fragment_counted', 'fragments/ports-read'],
    ['fragment_written', 'fragments/written'],
    ['fragment_cleared', 'fragments/cleared'],
    ['fragment_moved', 'fragments/changed'],
  ),
  ...of(
    'headers',
    ['options_overlooked', 'lengths/misplaced'],
    ['authentication_length', 'lengths/misplaced'],
    ['type_swapped', 'ethertype/compared'],
    ['type_unchecked', 'ethertype/unchecked', XDP],
    ['port_swapped', 'port/compared'],
    ['limit_swapped', 'length/compared'],
    ['vlan_swapped', 'vlan/compared', XDP],
    ['operation_swapped', 'number/compared'],
    ['mask_swapped', 'number/compared'],
    ['network_swapped', 'address/compared'],
    ['local_swapped', 'address/compared'],
    ['version_wrong', 'action/malformed-only'],
  ),
  ...of('marks', ['voice', 'ecn/changed'], ['congested', 'ecn/changed'], ['voice6', 'flow-label/changed']),
  ...of(
    'dns',
    ['dns_response', 'dns/response-answered'],
    ['dns_bit', 'dns/not-a-response'],
    ['dns_count', 'dns/unreadable'],
    ['dns_ports', 'reply/ports-left'],
  ),
  ...of('quotes', ['quote_left', 'icmp/quote-left']),
  ...of(
    'sums',
    ['not_complemented', 'checksum/not-complemented'],
    ['bytes_swapped', 'checksum/bytes-swapped'],
    ['old_counted', 'checksum/old-checksum-counted'],
    ['word_forgotten', 'checksum/unknown'],
    ['delta_negated', 'checksum/delta-negated'],
    ['change_left_out', 'checksum/change-left-out'],
    ['change_twice', 'checksum/change-counted-twice'],
    ['udp6_removed', 'checksum/udp-checksum-removed-over-ipv6'],
    ['udp6_zero_lost', 'checksum/udp-zero-lost'],
    ['icmp6_pseudo_left', 'checksum/not-updated'],
    ['all_zero_message', 'checksum/all-zero-message'],
    ['ttl_carry', 'checksum/carry-lost'],
    ['zero_left_alone', 'checksum/zero-left-alone'],
    ['change_not_made', 'checksum/change-not-made'],
  ),
  ...of(
    'tunnels',
    ['vlan_stale', 'ethertype/stale', XDP],
    ['six_unpacked', 'ethertype/stale', XDP],
    ['vlan_order', 'ethertype/byte-order', XDP],
    ['ipip_protocol', 'protocol/mismatch', XDP],
    ['ipip_ttl', 'ttl/zero', XDP],
    ['ipip_total', 'lengths/surplus', XDP],
    ['ipip_check', 'checksum/never-computed', XDP],
    ['ipip_itself', 'reply/new-header-to-itself', XDP],
    ['vxlan_short', 'lengths/decapsulated', XDP],
    ['gtpu_short', 'lengths/decapsulated', XDP],
    ['header_cut', 'lengths/total', XDP],
    ['udp_length_left', 'lengths/udp'],
    ['trailer', 'lengths/total'],
  ),
  ...of(
    'labels',
    ['label_pushed', 'mpls/bottom', XDP],
    ['label_order', 'mpls/byte-order', XDP],
    ['label_unaged', 'mpls/zero-ttl', XDP],
    ['label_expired', 'mpls/expired', XDP],
    ['label_wrapped', 'mpls/wrapped', XDP],
    ['label_kept', 'mpls/not-lowered', XDP],
    ['label_popped', 'ethertype/stale', XDP],
  ),
  ...of(
    'translators',
    ['udp_translated', 'checksum/udp-none-updated'],
    ['backend_tunnel', 'checksum/folded-once', XDP],
  ),
  ...of('payload', ['posts_dropped', 'payload/not-linear', TC], ['slice_kept', 'payload/slice-copied', TC]),
  ...of('contents', ['method_misplaced', 'payload/misplaced'], ['question_misplaced', 'payload/misplaced']),
  ...of('refused', ['unchecked', 'load/refused']),
  ...of('null', ['null_used', 'load/refused']),
  ...of('versions', ['sum_unfolded', 'kernel-version/differs', { asKernels: ['6.1'] }]),
];

export const CHECK_SPECIMENS: readonly CheckSpecimen[] = [...OF_THE_ORACLE, ...OWN_SPECIMENS];

const objects = new Map<string, Uint8Array>();

/**
 * Compiles one of them; those of one source are compiled once.
 * @throws {Error} with the compiler's messages
 */
export function buildCheckSpecimen({ name, source }: CheckSpecimen, hook: Hook, faulty: boolean): Program {
  const key = `${source} ${hook} ${faulty}`;
  const object = objects.get(key) ?? compiled(source, hook, faulty);
  objects.set(key, object);
  const isOwn = source.startsWith('check-specimens/');
  return {
    name: `${name}${faulty ? ', faulty' : ''}`,
    entries: [{ function: isOwn ? name : 'specimen', hook }],
    object,
  };
}

/** What the worlds of a check are; undefined: those of any object. */
export function worldsOfSpecimen({ world }: CheckSpecimen): readonly NamedWorld[] | undefined {
  return world === undefined ? undefined : [{ name: 'given', world }];
}

function compiled(source: string, hook: Hook, faulty: boolean): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-specimen-'));
  try {
    const object = join(scratch, 'specimen.o');
    const defines = [...(hook === 'xdp' ? [] : ['TC']), ...(faulty ? ['FAULTY'] : [])];
    compileBpf(`kernel-tests/${source}.bpf.c`, object, { options: defines.map((define) => `-D${define}`) });
    return new Uint8Array(readFileSync(object));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
