/** How much stack a program's functions take together, read off its instructions. */

import type { BpfProgram } from './bpf-object.ts';
import { type FrameUse, frameUseOf } from './frame-use.ts';
import { BPF_PSEUDO_CALL, BPF_PSEUDO_FUNC, CALL, callTarget, LDDW } from './instruction.ts';

export interface StackDepth {
  /** Bytes of the deepest chain of calls. */
  readonly bytes: number;
  /** That chain, by name; with `recursive` the one that comes back to itself. */
  readonly functions: readonly string[];
  readonly recursive: boolean;
}

/** The verifier rounds each frame up to so much (`check_max_stack_depth_subprog`, with a JIT). */
const GRANULE = 16;

/** Without `reached`: sessions of the same object come by the thousand. */
const known = new WeakMap<BpfProgram, StackDepth>();

/** @param reached by slot, 1 where some input leads to; default: every slot is */
export function deepestStack(program: BpfProgram, reached?: Uint8Array): StackDepth {
  if (reached !== undefined) return new Chains(program, reached).deepest();
  let depth = known.get(program);
  if (depth === undefined) {
    depth = new Chains(program).deepest();
    known.set(program, depth);
  }
  return depth;
}

const NOTHING: StackDepth = { bytes: 0, functions: [], recursive: false };

class Chains {
  readonly #program: BpfProgram;
  readonly #isReached: (slot: number) => boolean;
  readonly #frames: readonly FrameUse[];
  /** First slots of callbacks that run later: each begins a chain of its own. */
  readonly #runLater: ReadonlySet<number>;
  /** By function: the deepest chain that begins with it. */
  readonly #below = new Map<number, StackDepth>();

  constructor(program: BpfProgram, reached?: Uint8Array) {
    this.#program = program;
    const { instructions, subprograms } = program;
    this.#isReached = (slot) => reached === undefined || reached[slot] === 1;
    this.#frames = subprograms.map(({ start, count }) =>
      frameUseOf(instructions, start, count, this.#isReached),
    );
    this.#runLater = new Set(this.#frames.flatMap(({ runLater }) => [...runLater]));
  }

  deepest(): StackDepth {
    let deepest = NOTHING;
    for (const [index, { start }] of this.#program.subprograms.entries()) {
      if (index > 0 && !this.#runLater.has(start)) continue;
      const depth = this.#from(index, []);
      if (depth.recursive) return depth;
      if (depth.bytes > deepest.bytes) deepest = depth;
    }
    return deepest;
  }

  #from(index: number, above: readonly number[]): StackDepth {
    const name = this.#program.subprograms[index]!.name;
    if (above.includes(index)) return { bytes: 0, functions: [name], recursive: true };
    const done = this.#below.get(index);
    if (done !== undefined) return done;
    let deepest = NOTHING;
    for (const callee of this.#callees(index)) {
      const below = this.#from(callee, [...above, index]);
      if (below.recursive) return { ...below, functions: [name, ...below.functions] };
      if (below.bytes >= deepest.bytes) deepest = below;
    }
    const own = Math.max(GRANULE, Math.ceil(this.#frames[index]!.bytes / GRANULE) * GRANULE);
    const depth = { bytes: own + deepest.bytes, functions: [name, ...deepest.functions], recursive: false };
    this.#below.set(index, depth);
    return depth;
  }

  /** What a function calls or names; who names a function that runs later does not run it. */
  #callees(index: number): number[] {
    const { instructions, subprograms } = this.#program;
    const { start, count } = subprograms[index]!;
    const found = new Set<number>();
    for (let slot = start; slot < start + count; slot++) {
      const { opcode, src } = instructions;
      const calls = opcode[slot] === CALL && src[slot] === BPF_PSEUDO_CALL;
      const names = opcode[slot] === LDDW && src[slot] === BPF_PSEUDO_FUNC;
      if ((calls || names) && this.#isReached(slot)) {
        const target = callTarget(instructions, slot);
        const callee = subprograms.findIndex((each) => each.start === target);
        if (callee >= 0 && (calls || !this.#runLater.has(target))) found.add(callee);
      }
      if (opcode[slot] === LDDW) slot++;
    }
    return [...found];
  }
}
