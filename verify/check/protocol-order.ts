/**
 * Comparisons of `skb->protocol` with a known EtherType in the wrong byte order. The field is in the network's order; what is meant
 * for IPv4 then waits for 0x0008, which the kernel takes for a length and never puts there, so that no packet shows it.
 */
import { KIND } from '../../sim/ebpf/analysis/abstract-value.ts';
import { analyse } from '../../sim/ebpf/analysis/analysis.ts';
import { controlFlowOf } from '../../sim/ebpf/analysis/control-flow.ts';
import type { BpfObject, BpfProgram, Subprogram } from '../../sim/ebpf/bpf-object.ts';
import { programLayout } from '../../sim/ebpf/context/program-layout.ts';
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_JEQ,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_LDX,
  BPF_MOV,
  BPF_X,
  CLASS_MASK,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import { etherTypeName } from '../../sim/packet/numbers.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { ruleOf } from '../invariants/rules.ts';
import type { CheckFinding } from './finding.ts';
import { readableObject } from './readable-object.ts';

const INVARIANT = 'ethertype/compared';

/** A comparison with a number that is a known EtherType in the other order. */
interface Comparison {
  readonly slot: number;
  readonly value: number;
}

/** One for each line; nothing of XDP programs, whose context has no such field. */
export function swappedProtocols(program: Program): CheckFinding[] {
  const object = readableObject(program);
  if (object === undefined) return [];
  const found = new Map<string, CheckFinding>();
  for (const { function: name, hook } of program.entries) {
    const own = object.programs.find((one) => one.function === name);
    if (own === undefined || hook === 'xdp') continue;
    for (const comparison of comparisonsIn(object, own)) {
      const finding = findingOf(program, own, comparison);
      found.set(`${finding.source?.file} ${finding.source?.line ?? finding.summary}`, finding);
    }
  }
  return [...found.values()];
}

function comparisonsIn(object: BpfObject, own: BpfProgram): Comparison[] {
  const { accesses } = analyse({
    program: own,
    maps: object.maps,
    layout: programLayout('tc', own),
    helperAt: (slot) => helperAt(object, own, slot),
    enteredWith: 'context',
  });
  const loads = new Set<number>();
  for (const [slot, { pointer }] of accesses) {
    const isLoad = (own.instructions.opcode[slot]! & CLASS_MASK) === BPF_LDX;
    const isField = pointer.min + own.instructions.offset[slot]! === SK_BUFF.protocol;
    // The context itself has no offset of its own.
    if (isLoad && isField && pointer.kind === KIND.context) loads.add(slot);
  }
  if (loads.size === 0) return [];
  return own.subprograms.flatMap((subprogram) => comparedIn(own, subprogram, loads));
}

/** Follows the field through each block, and into those behind it. */
function comparedIn(
  { instructions }: BpfProgram,
  { start, count }: Subprogram,
  loads: ReadonlySet<number>,
): Comparison[] {
  const { blocks } = controlFlowOf(instructions, start, start + count);
  const before: (Set<number> | undefined)[] = [new Set()];
  const found = new Map<number, Comparison>();
  const todo = [0];
  for (let index = todo.pop(); index !== undefined; index = todo.pop()) {
    const block = blocks[index]!;
    const held = new Set(before[index]);
    for (let slot = block.start; slot < block.end; slot++) {
      const value = comparedAt(instructions, slot, held);
      if (value !== undefined) found.set(slot, { slot, value });
      step(instructions, slot, held, loads);
    }
    for (const to of [block.jump, block.next]) {
      if (to < 0 || to >= blocks.length) continue;
      const known = before[to];
      const size = known?.size ?? -1;
      const joined = new Set([...(known ?? []), ...held]);
      if (joined.size === size) continue;
      before[to] = joined;
      todo.push(to);
    }
  }
  return [...found.values()];
}

/** The number that a register which holds the field is compared with, where that is a known EtherType swapped. */
function comparedAt(
  { opcode, dst, imm }: BpfProgram['instructions'],
  slot: number,
  held: ReadonlySet<number>,
): number | undefined {
  const code = opcode[slot]!;
  const kind = code & CLASS_MASK;
  if (kind !== BPF_JMP && kind !== BPF_JMP32) return undefined;
  const operation = code & OPERATION_MASK;
  if ((operation !== BPF_JEQ && operation !== BPF_JNE) || (code & SOURCE_MASK) === BPF_X) return undefined;
  if (!held.has(dst[slot]!)) return undefined;
  // As the field is loaded: the first byte of the frame's EtherType is the lowest.
  const value = imm[slot]! & 0xffff;
  if (imm[slot]! >>> 16 !== 0) return undefined;
  const type = swapped(value);
  return etherTypeName(type) === undefined && etherTypeName(value) !== undefined ? type : undefined;
}

function step(
  instructions: BpfProgram['instructions'],
  slot: number,
  held: Set<number>,
  loads: ReadonlySet<number>,
): void {
  const { opcode, dst, src } = instructions;
  const code = opcode[slot]!;
  const kind = code & CLASS_MASK;
  const isAlu = kind === BPF_ALU || kind === BPF_ALU64;
  const isMove = isAlu && (code & OPERATION_MASK) === BPF_MOV && (code & SOURCE_MASK) === BPF_X;
  const isMask = isAlu && (code & OPERATION_MASK) === BPF_AND && (code & SOURCE_MASK) !== BPF_X;
  const isHeld = loads.has(slot) || (isMove && held.has(src[slot]!)) || (isMask && held.has(dst[slot]!));
  for (const register of registersWritten(instructions, slot)) held.delete(register);
  if (isHeld) held.add(dst[slot]!);
}

function findingOf(program: Program, own: BpfProgram, { slot, value }: Comparison): CheckFinding {
  const source = sourceAt(own, slot);
  const type = swapped(value);
  const text = (number: number): string => `0x${number.toString(16).padStart(4, '0')}`;
  const place = source === undefined ? ` (instruction ${slot})` : '';
  return {
    invariant: INVARIANT,
    severity: ruleOf(INVARIANT).severity,
    summary: `${program.name}: ${INVARIANT}: skb->protocol is compared with ${text(value)}, which is ${text(type)} (${etherTypeName(type)}) in the machine’s byte order; the field is in the network’s${place}`,
    confirmedBy: [],
    ...(source === undefined || source.line === 0
      ? {}
      : { source: { file: source.file, line: source.line } }),
    ...(source === undefined || source.text === ''
      ? {}
      : { details: [`${source.file}:${source.line}: ${source.text.trim()}`] }),
  };
}
