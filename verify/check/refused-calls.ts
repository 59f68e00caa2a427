/**
 * Calls that helpers refuse for what they are passed, and that go unnoticed: a flag that does not exist, a size that the structure
 * never had, a type that there is not. No outcome shows that, since nothing happens. Only errors that say just that, whatever devices,
 * routes and other programs there are.
 */
import type { BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { helperName } from '../../sim/ebpf/helper-names.ts';
import {
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_KFUNC_CALL,
  CALL,
  EXIT,
  type Instructions,
  isConditionalJump,
  jumpTarget,
  LDDW,
  registersRead,
  registersWritten,
} from '../../sim/ebpf/instruction.ts';
import type { TracedKey } from '../../sim/ebpf/interpreter/trace.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { E2BIG, EACCES, EINVAL } from '../../sim/runtime/errno.ts';
import type { Program } from '../../sim/runtime/program.ts';
import {
  askingPlaceOf,
  type CallRemark,
  type CallStep,
  lineOf,
  placeOf,
  type TracedRun,
} from './call-remark.ts';

/** What a helper refuses, by the kernel's code. */
interface Refusal {
  /** Errors that say just that. Default: EINVAL. */
  readonly errors?: readonly number[];
  /** The register of its flags. */
  readonly flags?: number;
  /** Where flags of 0 do not say that nothing is wrong: a size or a mode counts as well. */
  readonly isMore?: true;
  /** What was refused; undefined: the error may have another reason. Default: the flags, or whatever it was. */
  why?(values: readonly bigint[], key: TracedKey | undefined): string | undefined;
}

const flagsOf = (register: number, known: bigint): Refusal => ({
  flags: register,
  why: (values) => ((values[register - 1]! & ~known) === 0n ? undefined : flagsText(values[register - 1]!)),
});

/** Where net/core/filter.c, kernel/bpf/bpf_iter.c, kernel/bpf/arraymap.c or include/net/xdp.h say so. */
const REFUSALS: ReadonlyMap<string, Refusal> = new Map<string, Refusal>([
  ['bpf_skb_set_tunnel_key', { flags: 4, isMore: true }],
  ['bpf_skb_store_bytes', { flags: 5 }],
  ['bpf_l3_csum_replace', { flags: 5 }],
  ['bpf_l4_csum_replace', { flags: 5 }],
  ['bpf_skb_change_proto', { flags: 3 }],
  ['bpf_skb_change_head', { flags: 3 }],
  ['bpf_skb_adjust_room', { flags: 4, isMore: true }],
  ['bpf_map_update_elem', { flags: 4 }],
  ['bpf_map_push_elem', { flags: 3 }],
  ['bpf_ringbuf_output', { flags: 4 }],
  ['bpf_fib_lookup', { flags: 4, isMore: true }],
  // Elements of an array cannot be deleted; a key that no trie takes is a finding of its own.
  [
    'bpf_map_delete_elem',
    { why: (_, key) => (key?.map.type.endsWith('ARRAY') === true ? 'an element of an array' : undefined) },
  ],
  // A device that is not there is -EINVAL, too.
  ['bpf_clone_redirect', flagsOf(3, 1n)],
  ['bpf_skb_change_tail', flagsOf(3, 0n)],
  ['bpf_for_each_map_elem', flagsOf(4, 0n)],
  ['bpf_loop', { ...flagsOf(4, 0n), errors: [EINVAL, E2BIG], isMore: true, why: loopRefusal }],
  ['bpf_skb_change_type', above('type', 2, 3n)],
  ['bpf_csum_level', above('level', 2, 3n)],
  // Metadata has whole words, and not many of them.
  ['bpf_xdp_adjust_meta', { errors: [EACCES], why: ([, delta]) => `delta ${BigInt.asIntN(32, delta!)}` }],
]);

function above(what: string, register: number, most: bigint): Refusal {
  return {
    why: (values) => {
      const value = BigInt.asUintN(32, values[register - 1]!);
      return value > most ? `${what} ${value}` : undefined;
    },
  };
}

/** Of more loops nobody has to think (`BPF_MAX_LOOPS`). */
const MAX_LOOPS = 1n << 23n;

function loopRefusal([loops, , , flags]: readonly bigint[]): string | undefined {
  if (flags !== 0n) return flagsText(flags!);
  return BigInt.asUintN(32, loops!) > MAX_LOOPS ? `${BigInt.asUintN(32, loops!)} loops` : undefined;
}

function flagsText(flags: bigint): string {
  return `flags 0x${flags.toString(16)}`;
}

/** BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
const UPDATE_FLAGS: readonly number[] = [0, 1, 2];

/** So many packets have to show it. */
const NEEDED = 3;

/** Calls of a program, or of those that it may come to, which may be refused, and whose result nobody looks at: `placeOf` of each. */
export function ignoredCalls({ object }: Program): ReadonlySet<string> {
  if (object === undefined) return new Set();
  try {
    return new Set(linkedObject(object).programs.flatMap(ignoredOf));
  } catch (error) {
    // What cannot be read does not run either.
    if (error instanceof ObjectError) return new Set();
    throw error;
  }
}

function ignoredOf(program: BpfProgram): string[] {
  const { instructions } = program;
  const { count, opcode, src, imm } = instructions;
  const found: string[] = [];
  for (let slot = 0; slot < count; slot++) {
    if (opcode[slot] === LDDW) slot++;
    else if (opcode[slot] === CALL && src[slot] !== BPF_PSEUDO_CALL && src[slot] !== BPF_PSEUDO_KFUNC_CALL) {
      const name = helperName(imm[slot]!);
      if (name === undefined || !REFUSALS.has(name) || isSurelyTaken(name, instructions, slot)) continue;
      if (!isRead(instructions, slot + 1))
        found.push(placeOf({ program: program.function, instruction: slot }));
    }
  }
  return found;
}

/** Are the flags a constant that is known to be right? */
function isSurelyTaken(name: string, instructions: Instructions, call: number): boolean {
  const { flags: register, isMore } = REFUSALS.get(name)!;
  if (register === undefined || isMore === true) return false;
  const flags = constantBefore(instructions, call, register);
  return flags !== undefined && (name === 'bpf_map_update_elem' ? UPDATE_FLAGS : [0]).includes(flags);
}

/** The constant that a register was set to in front of a call; undefined: none, or nobody can say. */
function constantBefore(
  { opcode, dst, imm }: Instructions,
  call: number,
  register: number,
): number | undefined {
  for (let slot = call - 1; slot >= 0 && slot >= call - LOOKED_BACK; slot--) {
    if (isConditionalJump(opcode[slot]!) || opcode[slot] === CALL) return undefined;
    if (dst[slot] === register && MOVED.includes(opcode[slot]!)) return imm[slot];
  }
  return undefined;
}

/** Constants are put into registers right in front of a call. */
const LOOKED_BACK = 8;
/** `r = imm` in 64 and in 32 bits. */
const MOVED: readonly number[] = [0xb7, 0xb4];

/** May an instruction from here on read r0 before it is written? */
function isRead(instructions: Instructions, from: number): boolean {
  const { count, opcode } = instructions;
  const seen = new Set<number>();
  const open = [from];
  for (let slot = open.pop(); slot !== undefined; slot = open.pop()) {
    if (slot >= count || seen.has(slot)) continue;
    seen.add(slot);
    const code = opcode[slot]!;
    if (registersRead(instructions, slot).includes(0)) return true;
    // What is called sets r0, too.
    if (code === EXIT || registersWritten(instructions, slot).includes(0)) continue;
    const target = jumpTarget(instructions, slot);
    if (target >= 0) open.push(target);
    if (target < 0 || isConditionalJump(code)) open.push(slot + (code === LDDW ? 2 : 1));
  }
  return false;
}

/** What is refused of these calls: an error that only what was passed explains is held against a call, anything else clears it. */
export function refusedCalls(run: TracedRun, ignored: ReadonlySet<string>): CallRemark[] {
  const calls = run.trace.steps.filter((step): step is CallStep => step.call !== undefined);
  return calls.filter((step) => ignored.has(placeOf(step))).map((step) => remarkOn(run, step));
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [EINVAL, '-EINVAL'],
  [EACCES, '-EACCES'],
  [E2BIG, '-E2BIG'],
]);

function remarkOn({ came }: TracedRun, step: CallStep): CallRemark {
  const place = `${askingPlaceOf(step)} refused`;
  const { name, result = 0n, arguments: values, key } = step.call;
  const { errors = [EINVAL], flags, why } = REFUSALS.get(name)!;
  const error = -Number(BigInt.asIntN(32, result));
  if (!errors.includes(error)) return { place };
  const said = why === undefined ? usualText(flags, values) : why(values, key);
  if (said === undefined) return { place };
  const got = NAMES.get(error)!;
  return {
    place,
    fault: {
      evidence: {
        value: Buffer.from(came).toString('base64'),
        needed: NEEDED,
        // What only was passed explains has nothing to do with the packet.
        ...(why === undefined ? {} : { isOfRelatives: true }),
      },
      breach: {
        invariant: 'helper/refused',
        at: 0,
        size: 0,
        expected: 'a result that somebody looks at, or arguments that are taken',
        got,
        sentence: `${name} refused what it was passed (${[got, said].filter((part) => part !== '').join('; ')}), as it does each time, and nobody looks at its result`,
      },
      ...lineOf(step),
    },
  };
}

function usualText(register: number | undefined, values: readonly bigint[]): string {
  return register === undefined ? '' : flagsText(values[register - 1] ?? 0n);
}
