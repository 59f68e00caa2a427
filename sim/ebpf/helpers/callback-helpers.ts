/** Helpers that call functions of the program: `bpf_loop`, `bpf_for_each_map_elem` (kernel/bpf/bpf_iter.c, helpers.c). */
import { E2BIG, EINVAL } from '../../runtime/errno.ts';
import { MAX_LOOPS } from '../limits.ts';
import { Unsupported } from '../machine.ts';
import { elementsOf } from '../maps/element-order.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. */
const WAKEUP_FLAGS = 3;

/** A kernel meets such an entry where it comes to a bucket behind the one at hand, which its seed decides (kernel/bpf/hashtab.c). */
const PUT_IN_A_WALK =
  'bpf_for_each_map_elem: its function put an entry into the map: whether that is met, too, hangs on the seed of the map';

/**
 * What `bpf_loop` returns for too many rounds where the verifier has put instructions in its place, which it does if it knows
 * that there are no flags: they move -E2BIG into the lower half of r0, and zeros stay above (kernel/bpf/verifier.c,
 * `inline_bpf_loop`, `BPF_MOV32_IMM`). To C it is 4,294,967,289, and no error.
 */
export const INLINED_E2BIG: bigint = BigInt.asUintN(32, BigInt(-E2BIG));

export const CALLBACK_HELPERS: readonly Helper[] = [
  {
    number: 181,
    name: 'bpf_loop',
    arguments: ['anything', 'function', 'stack_or_null', 'anything'],
    returns: 'u64',
    inlinedBy: 3,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, count, callback, context, flags) => {
      if (flags !== 0 || machine.high(3) !== 0) return machine.result64(BigInt(-EINVAL));
      const rounds = count >>> 0;
      if (rounds > MAX_LOOPS) return machine.result64(machine.isInlined ? INLINED_E2BIG : BigInt(-E2BIG));
      for (let round = 0; round < rounds; round++) {
        // What a callback returns says whether to stop; how many rounds there were is the result.
        if (machine.invoke(callback, 'loop', round, context, 0, 0) !== 0)
          return machine.result64(BigInt(round + 1));
      }
      return machine.result64(BigInt(rounds));
    },
  },
  {
    number: 164,
    name: 'bpf_for_each_map_elem',
    arguments: ['map', 'function', 'stack_or_null', 'anything'],
    returns: 'int',
    maps: ['ARRAY', 'PERCPU_ARRAY', 'HASH', 'PERCPU_HASH', 'LRU_HASH', 'LRU_PERCPU_HASH'],
    note: 'as in the kernel, in an order of its own; a function that puts an entry into the map stops the machine, unless it ends the walk: whether that entry is met is chance',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['order'] },
    symbolic: 'exact',
    run: (machine, map, callback, context, flags) => {
      const live = machine.mapAt(map);
      const rows = elementsOf(live, machine.world.hashSeed ?? 0);
      if (flags !== 0 || machine.high(3) !== 0 || rows === undefined) return -EINVAL;
      let visited = 0;
      const { insertions } = live;
      for (const { key, value } of rows) {
        visited++;
        if (machine.invoke(callback, 'element', map, key, value, context) !== 0) break;
        if (live.insertions !== insertions) throw new Unsupported(PUT_IN_A_WALK);
      }
      return visited;
    },
  },
  {
    number: 209,
    name: 'bpf_user_ringbuf_drain',
    arguments: ['map', 'function', 'stack_or_null', 'anything'],
    returns: 'int',
    maps: ['USER_RINGBUF'],
    note: '0: user space has handed nothing over, so the callback never runs',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, _map, _callback, _context, flags) =>
      (flags & ~WAKEUP_FLAGS) !== 0 || machine.high(3) !== 0 ? -EINVAL : 0,
  },
];
