/**
 * `struct __sk_buff` (include/uapi/linux/bpf.h), with the rules of `tc_cls_act_is_valid_access` and
 * `bpf_skb_is_valid_access` (net/core/filter.c).
 */
import { protoOf, type SkbInput } from '../../packet/packet-batch.ts';
import { CONTEXT_BASE, type LinearMemory, SOCKET_BASE } from '../memory.ts';
import { ACCESS, type Access, type ContextLayout } from './context-access.ts';

/** Offsets in bytes; all fields u32 unless said. */
export const SK_BUFF = {
  len: 0,
  pktType: 4,
  mark: 8,
  queueMapping: 12,
  /** Network order. */
  protocol: 16,
  vlanPresent: 20,
  vlanTci: 24,
  /** Network order. */
  vlanProto: 28,
  priority: 32,
  ingressIfindex: 36,
  ifindex: 40,
  tcIndex: 44,
  /** u32[5]. */
  cb: 48,
  hash: 68,
  tcClassid: 72,
  data: 76,
  dataEnd: 80,
  napiId: 84,
  family: 88,
  remoteIp4: 92,
  localIp4: 96,
  remoteIp6: 100,
  localIp6: 116,
  remotePort: 132,
  localPort: 136,
  dataMeta: 140,
  /** A pointer, u64. */
  flowKeys: 144,
  /** u64. */
  tstamp: 152,
  wireLen: 160,
  gsoSegs: 164,
  /** A pointer, u64. */
  sk: 168,
  gsoSize: 176,
  /** u8. */
  tstampType: 180,
  /** u64. */
  hwtstamp: 184,
} as const;

/** What only a device or a socket sets: a test run takes nothing but zeros for it, and no program can write it. */
export const NEVER_GIVEN: readonly number[] = [SK_BUFF.napiId, SK_BUFF.tstampType];

const SIZE = 192;
const CB_END = SK_BUFF.cb + 20;

const NAMES: readonly (readonly [number, string])[] = [
  [SK_BUFF.len, 'len'],
  [SK_BUFF.pktType, 'pkt_type'],
  [SK_BUFF.mark, 'mark'],
  [SK_BUFF.queueMapping, 'queue_mapping'],
  [SK_BUFF.protocol, 'protocol'],
  [SK_BUFF.vlanPresent, 'vlan_present'],
  [SK_BUFF.vlanTci, 'vlan_tci'],
  [SK_BUFF.vlanProto, 'vlan_proto'],
  [SK_BUFF.priority, 'priority'],
  [SK_BUFF.ingressIfindex, 'ingress_ifindex'],
  [SK_BUFF.ifindex, 'ifindex'],
  [SK_BUFF.tcIndex, 'tc_index'],
  [SK_BUFF.cb, 'cb'],
  [SK_BUFF.hash, 'hash'],
  [SK_BUFF.tcClassid, 'tc_classid'],
  [SK_BUFF.data, 'data'],
  [SK_BUFF.dataEnd, 'data_end'],
  [SK_BUFF.napiId, 'napi_id'],
  [SK_BUFF.family, 'family'],
  [SK_BUFF.remoteIp4, 'remote_ip4'],
  [SK_BUFF.localIp4, 'local_ip4'],
  [SK_BUFF.remoteIp6, 'remote_ip6'],
  [SK_BUFF.localIp6, 'local_ip6'],
  [SK_BUFF.remotePort, 'remote_port'],
  [SK_BUFF.localPort, 'local_port'],
  [SK_BUFF.dataMeta, 'data_meta'],
  [SK_BUFF.flowKeys, 'flow_keys'],
  [SK_BUFF.tstamp, 'tstamp'],
  [SK_BUFF.wireLen, 'wire_len'],
  [SK_BUFF.gsoSegs, 'gso_segs'],
  [SK_BUFF.sk, 'sk'],
  [SK_BUFF.gsoSize, 'gso_size'],
  [SK_BUFF.tstampType, 'tstamp_type'],
  [SK_BUFF.hwtstamp, 'hwtstamp'],
];

/** Written whole, 4 bytes at a time. */
const WRITABLE: ReadonlySet<number> = new Set([
  SK_BUFF.mark,
  SK_BUFF.queueMapping,
  SK_BUFF.priority,
  SK_BUFF.tcIndex,
  SK_BUFF.tcClassid,
]);

function inCb(offset: number, size: number): boolean {
  return offset >= SK_BUFF.cb && offset + size <= CB_END;
}

export const SK_BUFF_LAYOUT: ContextLayout = {
  name: '__sk_buff',
  size: SIZE,
  data: SK_BUFF.data,
  dataEnd: SK_BUFF.dataEnd,
  dataMeta: SK_BUFF.dataMeta,

  /** Scalars may be read in part, pointers whole. */
  read(offset: number, size: number, signExtending: boolean): Access {
    if (offset < 0 || offset + size > SIZE || offset % size !== 0) return ACCESS.refused;
    switch (offset) {
      case SK_BUFF.data:
        return size === 4 && !signExtending ? ACCESS.data : ACCESS.refused;
      case SK_BUFF.dataEnd:
        return size === 4 && !signExtending ? ACCESS.dataEnd : ACCESS.refused;
      case SK_BUFF.dataMeta:
        return size === 4 && !signExtending ? ACCESS.dataMeta : ACCESS.refused;
      case SK_BUFF.tstamp:
      case SK_BUFF.hwtstamp:
        return size === 8 ? ACCESS.scalar : ACCESS.refused;
      case SK_BUFF.sk:
        return size === 8 ? ACCESS.socket : ACCESS.refused;
      case SK_BUFF.tstampType:
        return size === 1 ? ACCESS.scalar : ACCESS.refused;
      default:
    }
    const field = offset & ~3;
    if (field === SK_BUFF.data || field === SK_BUFF.dataEnd || field === SK_BUFF.dataMeta)
      return ACCESS.refused;
    if (offset >= SK_BUFF.family && offset < SK_BUFF.dataMeta) return ACCESS.refused;
    if (offset >= SK_BUFF.flowKeys && offset < SK_BUFF.wireLen) return ACCESS.refused;
    if (offset >= SK_BUFF.sk && offset < SK_BUFF.gsoSize) return ACCESS.refused;
    if (offset > SK_BUFF.tstampType) return ACCESS.refused;
    if (offset >= SK_BUFF.cb && offset < CB_END) return inCb(offset, size) ? ACCESS.scalar : ACCESS.refused;
    return size <= 4 ? ACCESS.scalar : ACCESS.refused;
  },

  write(offset: number, size: number): boolean {
    if (offset < 0 || offset % size !== 0) return false;
    if (offset === SK_BUFF.tstamp) return size === 8;
    return inCb(offset, size) || (size === 4 && WRITABLE.has(offset));
  },

  field(offset: number): string {
    let name = 'len';
    for (const [at, text] of NAMES) if (at <= offset) name = text;
    return offset >= SK_BUFF.cb && offset < CB_END ? `cb[${(offset - SK_BUFF.cb) >> 2}]` : name;
  },

  /** `tc_index`, `tc_classid` and `queue_mapping` are u16 in the kernel. */
  writeMask(offset: number): number {
    const narrow =
      offset === SK_BUFF.tcIndex || offset === SK_BUFF.tcClassid || offset === SK_BUFF.queueMapping;
    return narrow ? 0xffff : -1;
  },

  /** `NO_QUEUE_MAPPING` (net/core/filter.c, `bpf_convert_ctx_access`): nobody may state that there is no queue. */
  writeLimit(offset: number): number {
    return offset === SK_BUFF.queueMapping ? 0xffff : Number.POSITIVE_INFINITY;
  },
};

// pkt_type (include/uapi/linux/if_packet.h).
export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;

const ETH_P_802_3 = 0x0001;
const ETH_P_802_2 = 0x0004;
/** Below this a type field is a length (IEEE 802.3). */
const ETH_P_802_3_MIN = 0x0600;

/**
 * `skb->protocol` as `eth_type_trans` finds it (net/ethernet/eth.c), in host order.
 * @param at address of the Ethernet header, 14 bytes
 * @param length of the frame
 */
export function protocolOf(memory: LinearMemory, at: number, length: number): number {
  const { u8 } = memory;
  const type = (u8[at + 12]! << 8) | u8[at + 13]!;
  if (type >= ETH_P_802_3_MIN) return type;
  // Novell's raw frames have no LLC header, but an IPX checksum of all ones.
  const isRaw = length >= 16 && u8[at + 14] === 0xff && u8[at + 15] === 0xff;
  return isRaw ? ETH_P_802_3 : ETH_P_802_2;
}

/**
 * `skb->pkt_type` as `eth_type_trans` finds it, on a device with this MAC (six bytes); undefined: the loopback device,
 * whose address is zero, and to which a frame to all ones is no broadcast: its broadcast address is zero, too.
 */
export function packetTypeOf(memory: LinearMemory, at: number, mac: Uint8Array | undefined): number {
  const { u8 } = memory;
  if ((u8[at]! & 1) !== 0) {
    if (mac === undefined) return PACKET_MULTICAST;
    for (let index = 0; index < 6; index++) if (u8[at + index] !== 0xff) return PACKET_MULTICAST;
    return PACKET_BROADCAST;
  }
  for (let index = 0; index < 6; index++) {
    if (u8[at + index] !== (mac === undefined ? 0 : mac[index])) return PACKET_OTHERHOST;
  }
  return PACKET_HOST;
}

/** Parts of `__sk_buff` that come with a frame, as `[offset, size]`; together an image of the struct holds them. */
export const SKB_INPUT_PARTS: readonly (readonly [offset: number, size: number])[] = [
  // mark and queue_mapping.
  [SK_BUFF.mark, 8],
  // The tag, and priority.
  [SK_BUFF.vlanPresent, 16],
  // tc_index, cb, hash and tc_classid.
  [SK_BUFF.tcIndex, 32],
  // tstamp, wire_len and gso_segs.
  [SK_BUFF.tstamp, 16],
  [SK_BUFF.gsoSize, 4],
  [SK_BUFF.hwtstamp, 8],
];

/**
 * `skb_is_gso`: does the frame come with a size of segments? Its kind (`gso_type`) nobody can state, so it is none that
 * the kernel's helpers know of.
 */
export function isGso(memory: LinearMemory): boolean {
  return memory.i32[(CONTEXT_BASE + SK_BUFF.gsoSize) >> 2] !== 0;
}

/** Bytes of `struct __sk_buff`. */
export const SK_BUFF_SIZE: number = SIZE;

/** Writes what comes with a frame of `length` bytes into a struct at `at`; the rest of it stays. */
export function writeSkbInput(view: DataView, at: number, length: number, input: SkbInput): void {
  view.setUint32(at + SK_BUFF.mark, input.mark ?? 0, true);
  view.setUint32(at + SK_BUFF.priority, input.priority ?? 0, true);
  const { vlan } = input;
  view.setUint32(at + SK_BUFF.vlanPresent, vlan === undefined ? 0 : 1, true);
  view.setUint32(at + SK_BUFF.vlanTci, vlan?.tci ?? 0, true);
  view.setUint32(at + SK_BUFF.vlanProto, 0, true);
  if (vlan !== undefined) view.setUint16(at + SK_BUFF.vlanProto, protoOf(vlan));
  view.setUint32(at + SK_BUFF.queueMapping, input.queueMapping ?? 0, true);
  view.setUint32(at + SK_BUFF.tcIndex, input.tcIndex ?? 0, true);
  view.setUint32(at + SK_BUFF.tcClassid, input.tcClassid ?? 0, true);
  view.setUint32(at + SK_BUFF.hash, input.hash ?? 0, true);
  for (let word = 0; word < 5; word++)
    view.setUint32(at + SK_BUFF.cb + 4 * word, input.cb?.[word] ?? 0, true);
  view.setBigUint64(at + SK_BUFF.tstamp, input.tstamp ?? 0n, true);
  view.setUint32(at + SK_BUFF.wireLen, input.wireLen || length, true);
  view.setUint32(at + SK_BUFF.gsoSegs, input.gsoSegs ?? 0, true);
  view.setUint32(at + SK_BUFF.gsoSize, input.gsoSize ?? 0, true);
  view.setBigUint64(at + SK_BUFF.hwtstamp, input.hwtstamp ?? 0n, true);
}

/** Writes where an image has its `ingress_ifindex`, which only frames on their way out come with. */
export function writeCameBy(view: DataView, image: number, { ingressIfindex = 0 }: SkbInput): void {
  view.setUint32(image + SK_BUFF.ingressIfindex, ingressIfindex, true);
}

/** Writes how many bytes are linear where an image of the struct has its `data_end`; 0: all. */
export function writeLinear(view: DataView, image: number, { linear = 0 }: SkbInput): void {
  view.setUint32(image + SK_BUFF.dataEnd, linear, true);
}

/** Writes whether the frame has no socket where an image has its `sk`. */
export function writeNoSocket(view: DataView, image: number, { noSocket = false }: SkbInput): void {
  view.setUint32(image + SK_BUFF.sk, noSocket ? 1 : 0, true);
}

/** Writes what stands for the tunnel that the frame came out of (`MACHINE_WORD.tunnel`) where an image has its `data`. */
export function writeTunnel(view: DataView, image: number, known: number): void {
  view.setUint32(image + SK_BUFF.data, known, true);
}

/** Fills in the fields of a fresh buffer that holds the `length` bytes at `data`; packet pointers excepted. */
export function writeSkBuff(
  memory: LinearMemory,
  data: number,
  length: number,
  device: { readonly ifindex: number; readonly ingressIfindex: number; readonly mac: Uint8Array | undefined },
): void {
  const base = CONTEXT_BASE >> 2;
  const words = memory.i32;
  words.fill(0, base, base + SIZE / 4);
  words[base + SK_BUFF.len / 4] = length;
  words[base + SK_BUFF.wireLen / 4] = length;
  words[base + SK_BUFF.pktType / 4] = packetTypeOf(memory, data, device.mac);
  const protocol = protocolOf(memory, data, length);
  words[base + SK_BUFF.protocol / 4] = ((protocol & 0xff) << 8) | (protocol >> 8);
  words[base + SK_BUFF.ifindex / 4] = device.ifindex;
  words[base + SK_BUFF.ingressIfindex / 4] = device.ingressIfindex;
  words[base + SK_BUFF.sk / 4] = SOCKET_BASE;
}
