/**
 * Counters that two CPUs can lose, found in the program's text: a load from a shared map's value, an addition or a subtraction, and a
 * store to the same place, without an atomic operation or a lock. The packets of a test run on one CPU never show it.
 */

import { KIND, type Value } from '../../sim/ebpf/analysis/abstract-value.ts';
import { analyse } from '../../sim/ebpf/analysis/analysis.ts';
import type { BpfMap, BpfObject, BpfProgram, Subprogram } from '../../sim/ebpf/bpf-object.ts';
import { programLayout } from '../../sim/ebpf/context/program-layout.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_LDX,
  BPF_MEM,
  BPF_MOV,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  CALL,
  CLASS_MASK,
  isConditionalJump,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError, sourceAt } from '../../sim/ebpf/object.ts';
import { needsOf } from '../../sim/ebpf/referenced-maps.ts';
import { withSlots } from '../../sim/ebpf/world-slots.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { CpuSlots } from './cpu-slots.ts';
import type { CheckFinding } from './finding.ts';

/** Maps whose values several CPUs share. */
export const SHARED: ReadonlySet<BpfMap['type']> = new Set(['ARRAY', 'HASH', 'LRU_HASH', 'LPM_TRIE']);

export interface TailCalled {
  /** Programs of the object that are tested by themselves: what they do is reported there. */
  readonly testedApart?: ReadonlySet<string> | undefined;
  /** What is stated of maps of programs. */
  readonly worlds?: readonly NamedWorld[] | undefined;
}

/** Of the entries, and of what they can tail-call: initialisers of the object and stated worlds say what that is. */
export function lostUpdates(program: Program, { testedApart, worlds = [] }: TailCalled = {}): CheckFinding[] {
  if (program.object === undefined) return [];
  let object: BpfObject;
  try {
    object = linkedObject(program.object);
  } catch (error) {
    if (error instanceof ObjectError) return [];
    throw error;
  }
  const found: CheckFinding[] = [];
  for (const { function: name, hook } of program.entries) {
    const entry = object.programs.findIndex((one) => one.function === name);
    if (entry < 0) continue;
    for (const index of reachedFrom(object, entry, worlds)) {
      const own = object.programs[index]!;
      const isEntry = program.entries.some((one) => one.function === own.function);
      if (index !== entry && (isEntry || testedApart?.has(own.function) === true)) continue;
      for (const finding of lostIn(program, object, own, hook)) {
        const isKnown = found.some(
          ({ source, summary }) =>
            summary === finding.summary &&
            source?.file === finding.source?.file &&
            source?.line === finding.source?.line,
        );
        if (!isKnown) found.push(finding);
      }
    }
  }
  return found;
}

/** The program itself, and those that its tail calls can lead to. */
function reachedFrom(object: BpfObject, entry: number, worlds: readonly NamedWorld[]): ReadonlySet<number> {
  const reached = new Set([entry, ...needsOf(object, [entry]).programs]);
  for (const { world } of worlds) {
    if (world.slots === undefined) continue;
    for (const index of needsOf(withSlots(object, world.slots), [entry]).programs) reached.add(index);
  }
  return reached;
}

function lostIn(program: Program, object: BpfObject, own: BpfProgram, hook: Hook): CheckFinding[] {
  const facts = analyse({
    program: own,
    maps: object.maps,
    layout: programLayout(hook === 'xdp' ? 'xdp' : 'tc', own),
    helperAt: (slot) => helperAt(object, own, slot),
    enteredWith: 'context',
  });
  return own.subprograms.flatMap((subprogram) =>
    [...updatesIn(object, own, subprogram, facts.accesses)].map(({ slot, map }) =>
      lostUpdateAt(program, own, slot, map),
    ),
  );
}

interface Update {
  readonly slot: number;
  readonly map: BpfMap;
}

interface Loaded {
  readonly pointer: Value;
  readonly base: number;
  readonly offset: number;
  readonly size: number;
  readonly isAdded: boolean;
}

type Accesses = ReadonlyMap<number, { readonly pointer: Value }>;

/** Follows registers from instruction to instruction; what branches come together on is forgotten. */
function* updatesIn(
  { maps }: BpfObject,
  { instructions }: BpfProgram,
  { start, count }: Subprogram,
  accesses: Accesses,
): Generator<Update, void, void> {
  const { opcode, dst, src, offset, imm } = instructions;
  const targets = jumpTargets(instructions, start, start + count);
  const cpu = new CpuSlots(instructions);
  let loaded = new Map<number, Loaded>();
  let isLocked = false;
  for (let slot = start; slot < start + count; slot++) {
    if (targets.has(slot)) loaded = new Map();
    const code = opcode[slot]!;
    // Before it changes the register that it loads through.
    const isOwn = cpu.has(src[slot]!);
    cpu.step(slot);
    if (code === CALL) {
      const number = src[slot] === 0 ? imm[slot] : undefined;
      if (number === SPIN_LOCK) isLocked = true;
      if (number === SPIN_UNLOCK) isLocked = false;
      loaded = new Map();
      continue;
    }
    const kind = code & CLASS_MASK;
    const register = dst[slot]!;
    // Its second slot is none of these.
    if (code === LDDW) {
      forgetBase(loaded, register);
      loaded.delete(register);
    } else if (kind === BPF_LDX) {
      const pointer = accesses.get(slot)?.pointer;
      const isPlain = (code & MODE_MASK) === BPF_MEM;
      const one: Loaded | undefined =
        isPlain && pointer?.kind === KIND.mapValue && !isOwn
          ? { pointer, base: src[slot]!, offset: offset[slot]!, size: accessSize(code)!, isAdded: false }
          : undefined;
      forgetBase(loaded, register);
      loaded.delete(register);
      // What is loaded over its own pointer cannot be stored back through it.
      if (one !== undefined && one.base !== register) loaded.set(register, one);
    } else if (kind === BPF_ALU || kind === BPF_ALU64) {
      const before = loaded.get(register);
      const isAdd = (code & OPERATION_MASK) === BPF_ADD;
      const isSubtract = (code & OPERATION_MASK) === BPF_SUB;
      const isMove = (code & OPERATION_MASK) === BPF_MOV && (code & SOURCE_MASK) === BPF_X;
      const other = (code & SOURCE_MASK) === BPF_X ? loaded.get(src[slot]!) : undefined;
      forgetBase(loaded, register);
      loaded.delete(register);
      if (isMove && other !== undefined) loaded.set(register, other);
      else if ((isAdd || isSubtract) && before !== undefined)
        loaded.set(register, { ...before, isAdded: true });
      // rX = amount; rX += counter
      else if (isAdd && other !== undefined && other.base !== register)
        loaded.set(register, { ...other, isAdded: true });
    } else if (kind === BPF_STX && (code & MODE_MASK) === BPF_MEM) {
      const one = loaded.get(src[slot]!);
      const isBack =
        one?.isAdded === true &&
        one.base === register &&
        one.offset === offset[slot] &&
        one.size === accessSize(code);
      const map = isBack ? maps[one.pointer.map] : undefined;
      if (map !== undefined && SHARED.has(map.type) && !isLocked) yield { slot, map };
    }
  }
}

const SPIN_LOCK = 93;
const SPIN_UNLOCK = 94;

/** A register that changes is no longer the pointer that something was loaded through. */
function forgetBase(loaded: Map<number, Loaded>, register: number): void {
  for (const [own, { base }] of loaded) if (base === register) loaded.delete(own);
}

function jumpTargets(
  { opcode, offset, imm }: BpfProgram['instructions'],
  start: number,
  end: number,
): Set<number> {
  const targets = new Set<number>();
  for (let slot = start; slot < end; slot++) {
    const code = opcode[slot]!;
    if (isConditionalJump(code) || code === JA) targets.add(slot + 1 + offset[slot]!);
    else if (code === JA32) targets.add(slot + 1 + imm[slot]!);
  }
  return targets;
}

const JA = 0x05;
const JA32 = 0x06;

/** @param how what becomes of the value */
export function lostUpdateAt(
  program: Program,
  own: BpfProgram,
  slot: number,
  map: BpfMap,
  how: string = 'is loaded, added to and stored, without an atomic operation',
): CheckFinding {
  const source = sourceAt(own, slot);
  const isEntry = program.entries.some((one) => one.function === own.function);
  const where = isEntry ? '' : `in ${own.function}, which it tail-calls, `;
  const what = map.global === undefined ? `a value of map ${map.name}` : `a global variable (${map.name})`;
  const place = source === undefined ? ` (instruction ${slot})` : '';
  return {
    invariant: 'counter/lost-update',
    severity: 'warning',
    summary: `${program.name}: counter/lost-update: ${where}${what} ${how}${place}`,
    confirmedBy: [],
    ...(source === undefined || source.line === 0
      ? {}
      : { source: { file: source.file, line: source.line } }),
    ...(source === undefined || source.text === ''
      ? {}
      : { details: [`${source.file}:${source.line}: ${source.text.trim()}`] }),
  };
}
