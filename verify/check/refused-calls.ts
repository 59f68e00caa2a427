/**
 * Calls that helpers refuse for what they are passed (-EINVAL), and that go unnoticed: a flag that does not exist, a size that the
 * structure never had. No outcome shows that, since nothing happens. Only helpers whose -EINVAL says just that, whatever devices,
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
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { EINVAL } from '../../sim/runtime/errno.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type CallRemark, type CallStep, lineOf, placeOf, type TracedRun } from './call-remark.ts';

/** Helpers, with the register of their flags. */
const FLAGS: ReadonlyMap<string, number> = new Map([
  ['bpf_skb_set_tunnel_key', 4],
  ['bpf_skb_store_bytes', 5],
  ['bpf_l3_csum_replace', 5],
  ['bpf_l4_csum_replace', 5],
  ['bpf_skb_change_proto', 3],
  ['bpf_skb_change_head', 3],
  ['bpf_skb_adjust_room', 4],
  ['bpf_map_update_elem', 4],
  ['bpf_map_push_elem', 3],
  ['bpf_ringbuf_output', 4],
  ['bpf_fib_lookup', 4],
]);

/** Of these, flags of 0 do not say that nothing is wrong: a size or a mode counts as well. */
const MORE_THAN_FLAGS: ReadonlySet<string> = new Set([
  'bpf_skb_set_tunnel_key',
  'bpf_skb_adjust_room',
  'bpf_fib_lookup',
]);

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
      if (name === undefined || !FLAGS.has(name) || isSurelyTaken(name, instructions, slot)) continue;
      if (!isRead(instructions, slot + 1))
        found.push(placeOf({ program: program.function, instruction: slot }));
    }
  }
  return found;
}

/** Are the flags a constant that is known to be right? */
function isSurelyTaken(name: string, instructions: Instructions, call: number): boolean {
  if (MORE_THAN_FLAGS.has(name)) return false;
  const flags = constantBefore(instructions, call, FLAGS.get(name)!);
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

/** What is refused of these calls: -EINVAL is held against a call, anything else clears it. */
export function refusedCalls(run: TracedRun, ignored: ReadonlySet<string>): CallRemark[] {
  const calls = run.trace.steps.filter((step): step is CallStep => step.call !== undefined);
  return calls.filter((step) => ignored.has(placeOf(step))).map((step) => remarkOn(run, step));
}

function remarkOn({ came }: TracedRun, step: CallStep): CallRemark {
  const place = `${placeOf(step)} refused`;
  const { name, result = 0n, arguments: values } = step.call;
  if (Number(BigInt.asIntN(32, result)) !== -EINVAL) return { place };
  const flags = values[FLAGS.get(name)! - 1] ?? 0n;
  return {
    place,
    fault: {
      evidence: { value: Buffer.from(came).toString('base64'), needed: NEEDED },
      breach: {
        invariant: 'helper/refused',
        at: 0,
        size: 0,
        expected: 'a result that somebody looks at, or arguments that are taken',
        got: '-EINVAL',
        sentence: `${name} refused what it was passed (-EINVAL; flags 0x${flags.toString(16)}), as it does each time, and nobody looks at its result`,
      },
      ...lineOf(step),
    },
  };
}
