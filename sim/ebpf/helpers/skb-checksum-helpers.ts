/**
 * `bpf_l3_csum_replace`, `bpf_l4_csum_replace` and their relatives (net/core/filter.c, net/core/utils.c). The
 * kernel's `ip_summed` is CHECKSUM_NONE here, as in a test run: no hardware has an opinion.
 */
import { EACCES, EFAULT, EINVAL, ENOTSUPP } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { MACHINE_WORD } from '../memory.ts';
import { checksumAdd, fold } from './checksum-helpers.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const BPF_F_HDR_FIELD_MASK = 0xf;
const BPF_F_PSEUDO_HDR = 0x10;
const BPF_F_MARK_MANGLED_0 = 0x20;
const BPF_F_MARK_ENFORCE = 0x40;
const BPF_F_IPV6 = 0x80;
const L4_FLAGS: number =
  BPF_F_HDR_FIELD_MASK | BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_IPV6;

const CSUM_MANGLED_0 = 0xffff;

/** `csum_replace_by_diff`: `~fold(~sum + difference)`. All in the byte order of memory: one's complement does not mind. */
function replaceByDifference(sum: number, difference: number): number {
  return ~fold(checksumAdd(difference >>> 0, ~sum >>> 0)) & 0xffff;
}

/** `csum_replace4`. */
function replace4(sum: number, from: number, to: number): number {
  const without = checksumAdd(~sum >>> 0, ~from >>> 0);
  return ~fold(checksumAdd(without, to >>> 0)) & 0xffff;
}

function add16(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? sum - 0xffff : sum;
}

/** `csum_replace2`. */
function replace2(sum: number, from: number, to: number): number {
  return ~add16(add16(~sum & 0xffff, ~from & 0xffff), to & 0xffff) & 0xffff;
}

/** The address of the checksum, which is linear then; or 0 where it is not in the frame. */
function fieldAt(machine: Machine, offset: number): number {
  const at = offset >>> 0;
  if (at > 0xffff || (at & 1) !== 0 || !machine.packet.mayPull(at + 2)) return 0;
  return machine.packet.data + at;
}

function l3Replace(machine: Machine, offset: number, from: number, to: number, flags: number): number {
  if ((flags & ~BPF_F_HDR_FIELD_MASK) !== 0 || machine.high(4) !== 0) return -EINVAL;
  const at = fieldAt(machine, offset);
  if (at === 0) return -EFAULT;
  const { view } = machine.memory;
  const sum = view.getUint16(at, true);
  switch (flags) {
    case 0:
      if (from !== 0 || machine.high(2) !== 0) return -EINVAL;
      view.setUint16(at, replaceByDifference(sum, to), true);
      return 0;
    case 2:
      view.setUint16(at, replace2(sum, from, to), true);
      return 0;
    case 4:
      view.setUint16(at, replace4(sum, from, to), true);
      return 0;
    default:
      return -EINVAL;
  }
}

function l4Replace(machine: Machine, offset: number, from: number, to: number, flags: number): number {
  if ((flags & ~L4_FLAGS) !== 0 || machine.high(4) !== 0) return -EINVAL;
  const at = fieldAt(machine, offset);
  if (at === 0) return -EFAULT;
  const { view } = machine.memory;
  const sum = view.getUint16(at, true);
  const keepsZero = (flags & BPF_F_MARK_MANGLED_0) !== 0;
  if (keepsZero && (flags & BPF_F_MARK_ENFORCE) === 0 && sum === 0) return 0;
  let result: number;
  switch (flags & BPF_F_HDR_FIELD_MASK) {
    case 0:
      if (from !== 0 || machine.high(2) !== 0) return -EINVAL;
      result = replaceByDifference(sum, to);
      break;
    case 2:
      // `inet_proto_csum_replace2` widens to 32 bits.
      result = replace4(sum, from & 0xffff, to & 0xffff);
      break;
    case 4:
      result = replace4(sum, from, to);
      break;
    default:
      return -EINVAL;
  }
  view.setUint16(at, keepsZero && result === 0 ? CSUM_MANGLED_0 : result, true);
  return 0;
}

/** What `bpf_csum_level` is asked. */
export const CSUM_LEVEL = { query: 0, inc: 1, dec: 2, reset: 3 } as const;
/** One more than `SKB_MAX_CSUM_LEVEL`. */
const MOST_CHECKED = 4;

/**
 * Returns how many checksums count as checked behind a change of `bpf_csum_level` (include/linux/skbuff.h,
 * `__skb_incr_checksum_unnecessary` and so on). A test run's frame starts with none.
 * @param checked one more than `skb->csum_level`; 0: none does (`CHECKSUM_NONE`)
 */
export function checkedBehind(checked: number, asked: number): number {
  if (asked === CSUM_LEVEL.inc) return Math.min(checked + 1, MOST_CHECKED);
  if (asked === CSUM_LEVEL.dec) return Math.max(checked - 1, 0);
  return asked === CSUM_LEVEL.reset ? 0 : checked;
}

/** What `bpf_csum_level` returns. */
function checksumLevel(machine: Machine, asked: number): number {
  if (machine.high(1) !== 0 || asked < 0 || asked > CSUM_LEVEL.reset) return -EINVAL;
  const words = machine.memory.i32;
  const checked = words[MACHINE_WORD.checkedSums]!;
  if (asked === CSUM_LEVEL.query) return checked === 0 ? -EACCES : checked - 1;
  words[MACHINE_WORD.checkedSums] = checkedBehind(checked, asked);
  return 0;
}

export const SKB_CHECKSUM_HELPERS: readonly Helper[] = [
  {
    number: 10,
    name: 'bpf_l3_csum_replace',
    arguments: ['context', 'anything', 'anything', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, offset, from, to, flags) => l3Replace(machine, offset, from, to, flags),
  },
  {
    number: 11,
    name: 'bpf_l4_csum_replace',
    arguments: ['context', 'anything', 'anything', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', leaves: 'frame' },
    symbolic: 'exact',
    run: (machine, _context, offset, from, to, flags) => l4Replace(machine, offset, from, to, flags),
  },
  {
    number: 40,
    name: 'bpf_csum_update',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'frame' },
    symbolic: 'exact',
    // Only a sum that the hardware took could be updated.
    run: () => -ENOTSUPP,
  },
  {
    number: 135,
    name: 'bpf_csum_level',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read', leaves: 'frame' },
    symbolic: 'exact',
    run: (machine, _context, asked) => checksumLevel(machine, asked),
  },
];
