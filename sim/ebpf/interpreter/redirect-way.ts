/** In which way a redirect goes, beside its target, which outcomes have. */
import { toHex } from '../../packet/bytes.ts';
import type { Machine } from '../machine.ts';
import { DeviceHashMap } from '../maps/device-hash-map.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { SlotMap } from '../maps/slot-map.ts';
import { bytesAt, mapIn } from './call-arguments.ts';
import { HELPER } from './outside-helpers.ts';
import type { State } from './state.ts';

/** The lower bits of the flags of `bpf_redirect_map` say what is returned on a miss, and nothing where there is none. */
const MISS_MASK = 3;
const BPF_F_BROADCAST = 8;
const BPF_F_EXCLUDE_INGRESS = 16;
const BPF_F_INGRESS = 1;

/** The way of a redirect that a helper notes; undefined: it notes none. */
export function redirectText(state: State, number: number): string | undefined {
  const { lo, machine } = state;
  switch (number) {
    case HELPER.redirect:
      if (machine.hook === 'xdp') return 'to a device';
      return (lo[2]! & BPF_F_INGRESS) === 0 ? 'out of the device' : 'into the device (BPF_F_INGRESS)';
    case HELPER.redirectPeer:
      return "into the device's peer (bpf_redirect_peer)";
    case HELPER.redirectNeigh:
      return neighbourText(machine, lo[2]!, lo[3]!);
    case HELPER.redirectMap:
      return mapRedirectText(machine, mapIn(state, 1), lo[3]! & ~MISS_MASK);
    default:
      return undefined;
  }
}

function neighbourText(machine: Machine, parameters: number, size: number): string {
  const hop = size === 0 ? 'which the routes name' : toHex(bytesAt(machine, parameters, size));
  return `to the neighbour (bpf_redirect_neigh), ${hop}`;
}

function mapRedirectText(machine: Machine, map: LiveMap | undefined, flags: number): string | undefined {
  if (map === undefined) return undefined;
  const { type } = map.definition;
  if (type === 'CPUMAP') return 'to a CPU';
  if (type === 'XSKMAP') return 'to a socket of a queue';
  if ((flags & BPF_F_BROADCAST) === 0) return 'to a device';
  const but = (flags & BPF_F_EXCLUDE_INGRESS) === 0 ? '' : ', but to that which it came from';
  return `to all of the devices ${devicesOf(machine, map).join(', ') || '(none)'}${but}`;
}

/** Ifindexes, in order. */
function devicesOf({ memory }: Machine, map: LiveMap): number[] {
  const found: number[] = [];
  if (map instanceof SlotMap) {
    for (let index = 0; index < map.definition.maxEntries; index++) {
      const slot = map.lookupIndex(index);
      if (slot !== 0) found.push(memory.u32(slot));
    }
  } else if (map instanceof DeviceHashMap) {
    for (const { value } of map.snapshot()?.kept() ?? [])
      found.push(new DataView(value.buffer, value.byteOffset).getUint32(0, true));
  }
  return found.sort((a, b) => a - b);
}
