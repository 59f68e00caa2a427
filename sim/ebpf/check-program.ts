/** What makes a program unfit for the machine, found before its first packet. */

import type { Hook } from '../runtime/actions.ts';
import type { World } from '../runtime/world.ts';
import { reachOf } from './analysis/reach.ts';
import type { BpfObject, BpfProgram } from './bpf-object.ts';
import { checkInstructions } from './check-instructions.ts';
import { helperName } from './helper-names.ts';
import type { Helper } from './helpers/helper.ts';
import { HELPERS } from './helpers/index.ts';
import { KERNEL_FUNCTIONS } from './helpers/kernel-functions.ts';
import {
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_KFUNC_CALL,
  CALL,
  LDDW,
  MAX_BPF_STACK,
  MAX_CALL_FRAMES,
} from './instruction.ts';
import { InstructionError } from './instruction-error.ts';
import {
  helperSince,
  isOlder,
  KERNEL_FUNCTIONS_SINCE,
  type KernelVersion,
  NEW_INSTRUCTIONS,
  NEWEST_KERNEL,
  PROGRAM_FEATURES,
} from './kernel-versions.ts';
import { sourceAt } from './object.ts';
import { LackingError, NewerKernelError, ObjectError } from './object-error.ts';
import { deepestStack } from './stack-depth.ts';

/**
 * @param world what it is to run in: variables in `.rodata` decide which code is dead, and like the kernel's verifier
 *   the machine asks nothing of calls in dead code
 * @throws {ObjectError} naming program, instruction and C line: instructions that no verifier takes, helpers and
 *   kernel functions that the machine does not have or that the hook may not call, too much stack
 * @param asKernel the kernel that the machine is asked to be; default: the newest
 */
export function checkProgram(
  object: BpfObject,
  program: BpfProgram,
  hook: Hook,
  world: World = {},
  asKernel: KernelVersion = NEWEST_KERNEL,
): void {
  try {
    checkInstructions(program.instructions, { packetLoads: hook !== 'xdp' });
  } catch (error) {
    if (!(error instanceof InstructionError)) throw error;
    throw new ObjectError(
      place(program, error.instruction),
      'an instruction that the kernel takes',
      error.message,
    );
  }
  const { instructions } = program;
  for (let slot = 0; slot < instructions.count; slot++) {
    const opcode = instructions.opcode[slot]!;
    const tooNew = program.poisoned.has(slot) ? undefined : tooNewFor(asKernel, object, program, slot);
    if (tooNew !== undefined && isReached({ object, world }, program, hook, slot)) throw tooNew;
    if (opcode === CALL && instructions.src[slot] !== BPF_PSEUDO_CALL && !program.poisoned.has(slot)) {
      const refusal = refusedCall(object, program, slot, hook);
      if (refusal !== undefined && isReached({ object, world }, program, hook, slot)) throw refusal;
    }
    if (opcode === LDDW) slot++;
  }
  checkStack({ object, world }, program, hook);
}

/** What the instruction needs that came after this kernel. */
function tooNewFor(
  asKernel: KernelVersion,
  object: BpfObject,
  program: BpfProgram,
  slot: number,
): ObjectError | undefined {
  if (asKernel === NEWEST_KERNEL) return undefined;
  const { instructions } = program;
  const newer = (what: string, since: KernelVersion | undefined): ObjectError | undefined =>
    since !== undefined && isOlder(asKernel, since)
      ? new NewerKernelError(place(program, slot), what, since, asKernel)
      : undefined;
  if (instructions.opcode[slot] === CALL && instructions.src[slot] !== BPF_PSEUDO_CALL) {
    const number = instructions.imm[slot]!;
    if (instructions.src[slot] === BPF_PSEUDO_KFUNC_CALL) {
      const name = object.kfuncs[number] ?? '';
      return newer(`kernel function ${name}`, KERNEL_FUNCTIONS_SINCE.get(name));
    }
    const { tailCallsWithSubprograms } = PROGRAM_FEATURES;
    if (HELPERS.get(number)?.effects.leavesProgram === true && program.subprograms.length > 1)
      return newer('tail calls in programs with subprograms', tailCallsWithSubprograms.since);
    return newer(`helper ${helperName(number)} (number ${number})`, helperSince(number));
  }
  const found = NEW_INSTRUCTIONS.find((one) => isOlder(asKernel, one.since) && one.is(instructions, slot));
  return found === undefined ? undefined : newer(found.what, found.since);
}

/** Only asked where it matters: following all paths takes time. */
function isReached(
  machine: Parameters<typeof reachOf>[0],
  program: BpfProgram,
  hook: Hook,
  slot: number,
): boolean {
  return reachOf(machine, program, hook === 'xdp' ? 'xdp' : 'tc').reached[slot] === 1;
}

/** Why a helper or a kernel function may not be called; undefined: it may. */
function refusedCall(
  object: BpfObject,
  program: BpfProgram,
  slot: number,
  hook: Hook,
): ObjectError | undefined {
  const { instructions } = program;
  const number = instructions.imm[slot]!;
  if (instructions.src[slot] === BPF_PSEUDO_KFUNC_CALL) {
    const name = object.kfuncs[number] ?? `kernel function ${number}`;
    const found = KERNEL_FUNCTIONS.get(name);
    if (found === undefined) {
      return new LackingError(place(program, slot), 'kernel function', name);
    }
    return refusedHook(program, slot, found, hook);
  }
  const helper = HELPERS.get(number);
  if (helper === undefined) {
    const name = helperName(number);
    if (name === undefined) {
      return new ObjectError(place(program, slot), 'a helper', `number ${number}, which no kernel has`);
    }
    return new LackingError(place(program, slot), 'helper', `${name} (number ${number})`);
  }
  if (helper.rules.license === 'gpl' && !isGplCompatible(object.license)) {
    const license = object.license === '' ? 'none' : `"${object.license}"`;
    const expected = `a GPL-compatible license, since it calls ${helper.name}`;
    return new ObjectError(place(program, slot), expected, license);
  }
  return refusedHook(program, slot, helper, hook);
}

function refusedHook(program: BpfProgram, slot: number, helper: Helper, hook: Hook): ObjectError | undefined {
  const { hooks } = helper.rules;
  if (hooks === 'both' || (hooks === 'xdp') === (hook === 'xdp')) return undefined;
  const kind = hook === 'xdp' ? 'XDP' : 'TC';
  return new ObjectError(place(program, slot), `a helper for ${kind} programs`, helper.name);
}

/** `license_is_gpl_compatible` (include/linux/license.h). */
export function isGplCompatible(license: string): boolean {
  return [
    'GPL',
    'GPL v2',
    'GPL and additional rights',
    'Dual BSD/GPL',
    'Dual MIT/GPL',
    'Dual MPL/GPL',
  ].includes(license);
}

/**
 * All frames of one chain of calls share 512 bytes (kernel/bpf/verifier.c, `check_max_stack_depth`); what dead code would
 * take of them is not counted.
 */
function checkStack(machine: Parameters<typeof reachOf>[0], program: BpfProgram, hook: Hook): void {
  const all = deepestStack(program);
  const deepest =
    all.recursive || all.bytes <= MAX_BPF_STACK
      ? all
      : deepestStack(program, reachOf(machine, program, hook === 'xdp' ? 'xdp' : 'tc').reached);
  const chain = deepest.functions.join(' → ');
  if (deepest.recursive) {
    throw new ObjectError(`program ${program.function}`, 'calls that end', `recursion: ${chain}`);
  }
  if (deepest.functions.length > MAX_CALL_FRAMES) {
    const expected = `at most ${MAX_CALL_FRAMES} functions calling each other`;
    throw new ObjectError(`program ${program.function}`, expected, chain);
  }
  if (deepest.bytes > MAX_BPF_STACK) {
    const expected = `at most ${MAX_BPF_STACK} bytes of stack for all functions that call each other`;
    throw new ObjectError(`program ${program.function}`, expected, `${deepest.bytes} (${chain})`);
  }
}

function place(program: BpfProgram, slot: number): string {
  const source = sourceAt(program, slot);
  const line = source === undefined ? '' : ` (${source.file}:${source.line})`;
  return `program ${program.function}, instruction ${slot}${line}`;
}
