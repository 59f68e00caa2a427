/** Packets with other bytes in one place, their checksums right again: what is wrong with a sum alone may be special for that. */
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { repaired } from './variants.ts';

/** @param at where the bytes lie, and the place that stays as it is where a checksum is made right */
export function withBytes(stimulus: Stimulus, at: number, bytes: ArrayLike<number>): Stimulus {
  const packet = stimulus.packet.slice();
  packet.set(bytes, at);
  return { ...stimulus, packet: repaired(packet, at) };
}

/** The same with a number of 16 bits, as headers hold it. */
export function withWord(stimulus: Stimulus, at: number, value: number): Stimulus {
  return withBytes(stimulus, at, [value >> 8, value & 0xff]);
}
