/** `bpf_csum_diff` (net/core/filter.c). The helpers on checksums of an skb are in `skb-checksum-helpers.ts`. */
import { EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** `MAX_BPF_STACK`: the scratch space of kernels before 6.13. */
const OLD_LIMIT = 512;

/**
 * `csum_partial`: the one's complement sum of little-endian words on top of `start`, in 32 bits with end-around
 * carry. A sum that is not 0 never becomes 0 again.
 * @param size bytes; what is missing in the last word counts as zeros
 */
export function checksumPartial(machine: Machine, address: number, size: number, start: number): number {
  const { u8, view } = machine.memory;
  const whole = address + (size & ~3);
  let sum = start;
  let at = address;
  for (; at < whole; at += 4) {
    sum += view.getUint32(at, true);
    if (sum > 0xffff_ffff) sum -= 0xffff_ffff;
  }
  for (let shift = 0; at < address + size; at++, shift += 8) {
    sum += (u8[at]! << shift) >>> 0;
    if (sum > 0xffff_ffff) sum -= 0xffff_ffff;
  }
  return sum;
}

/** `csum_add`: both 32 bits, unsigned. */
export function checksumAdd(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff_ffff ? sum - 0xffff_ffff : sum;
}

/** Folds 32 bits to 16. */
export function fold(sum: number): number {
  let folded = (sum & 0xffff) + (sum >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return folded;
}

export const CHECKSUM_HELPERS: readonly Helper[] = [
  {
    number: 28,
    name: 'bpf_csum_diff',
    arguments: ['memory_or_null', 'size_or_zero', 'memory_or_null', 'size_or_zero', 'anything'],
    returns: 'u64',
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, from, fromSize, to, toSize, seed) => {
      const folded = machine.kernel.checksumDifferenceFolds;
      // Before 6.13 the words went through a buffer of that size.
      if (!folded && (((fromSize | toSize) & 3) !== 0 || fromSize + toSize > OLD_LIMIT)) {
        return machine.result64(BigInt(-EINVAL));
      }
      let sum = seed >>> 0;
      if (fromSize > 0 && toSize > 0) {
        const added = checksumPartial(machine, to, toSize, sum);
        sum = checksumAdd(added, ~checksumPartial(machine, from, fromSize, 0) >>> 0);
      } else if (toSize > 0) {
        sum = checksumPartial(machine, to, toSize, sum);
      } else if (fromSize > 0) {
        sum = ~checksumPartial(machine, from, fromSize, ~sum >>> 0) >>> 0;
      }
      return machine.result64(BigInt(folded ? fold(sum) : sum));
    },
  },
];
