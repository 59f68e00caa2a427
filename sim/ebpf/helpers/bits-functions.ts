/**
 * The open-coded iterator over set bits (kernel/bpf/helpers.c, `bpf_iter_bits_new`). Of `struct bpf_iter_bits`, the number of
 * bits is at byte 8 and the current one at byte 12; the copy of the bits is kept beside the machine's memory.
 */
import { E2BIG, EFAULT, EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import { readableAddress } from './probe-read-helpers.ts';

/** `BITS_ITER_NR_WORDS_MAX` */
const MOST_WORDS = 511;
const COUNT = 8;
const CURRENT = 12;

/** By address of the iterator. */
const copies = new WeakMap<Machine, Map<number, Uint8Array>>();

function copiesOf(machine: Machine): Map<number, Uint8Array> {
  let found = copies.get(machine);
  if (found === undefined) {
    found = new Map();
    copies.set(machine, found);
  }
  return found;
}

function begin(machine: Machine, at: number, from: number, words: number): number {
  const { memory } = machine;
  memory.setU64(at, 0n);
  memory.setU32(at + COUNT, 0);
  memory.setU32(at + CURRENT, -1);
  if ((from | machine.high(1)) === 0 || words === 0) return -EINVAL;
  if (words >>> 0 > MOST_WORDS) return -E2BIG;
  const source = readableAddress(machine, 1, from, 8 * words);
  // Of one word, whatever is wrong with its address.
  if (source < 0) return words === 1 ? -EFAULT : source;
  copiesOf(machine).set(at, memory.read(source, 8 * words));
  memory.setU32(at + COUNT, 64 * words);
  return 0;
}

/** The address of the next set bit's number. */
function next(machine: Machine, at: number): number {
  const { view } = machine.memory;
  machine.sliceSize = 4;
  machine.sliceWritable = false;
  const count = view.getInt32(at + COUNT, true);
  const bits = copiesOf(machine).get(at);
  let bit = view.getInt32(at + CURRENT, true);
  if (bits === undefined || count === 0 || bit >= count) return 0;
  do bit++;
  while (bit < count && (bits[bit >> 3]! & (1 << (bit & 7))) === 0);
  view.setInt32(at + CURRENT, bit, true);
  return bit < count ? at + CURRENT : 0;
}

const RULES: Pick<Helper, 'number' | 'rules' | 'effects' | 'symbolic'> = {
  number: 0,
  rules: { hooks: 'both', license: 'any', packetAccess: true },
  effects: NO_EFFECTS,
  symbolic: 'unsupported',
};

export const BITS_FUNCTIONS: readonly Helper[] = [
  {
    ...RULES,
    name: 'bpf_iter_bits_new',
    arguments: ['bits_iterator_out', 'anything', 'anything'],
    returns: 'word',
    readsAnywhere: { at: 1, count: 2, unit: 8, isText: false },
    note: 'over bits in packet, stack and values of maps; other kernel addresses stop the machine',
    run: begin,
  },
  { ...RULES, name: 'bpf_iter_bits_next', arguments: ['bits_iterator'], returns: 'slice_or_null', run: next },
  {
    ...RULES,
    name: 'bpf_iter_bits_destroy',
    arguments: ['bits_iterator'],
    returns: 'void',
    run: (machine, at) => {
      copiesOf(machine).delete(at);
      return 0;
    },
  },
];
