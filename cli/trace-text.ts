/** A packet's run as text: each instruction, what it changed, and the C lines between. */

import type { BpfObject, BpfProgram } from '../sim/ebpf/bpf-object.ts';
import { disassembleInstruction, type Names, namesOf, sourceComment } from '../sim/ebpf/disassemble.ts';
import type { RegisterChange, RunTrace, TraceStep } from '../sim/ebpf/interpreter/trace.ts';
import type { Terminal } from './terminal.ts';

/** Where the column of changes begins, for instructions that are not longer. */
const CHANGES_AT = 44;
const SLOT_WIDTH = 5;
const FIRST_ARGUMENT = 1;

/**
 * One line a step, below the C line that it came from:
 *
 * ```
 * ; if (eth + 1 > end) @ parsing.h:63
 *    12: r1 = *(u32 *)(r6 +4)                r1=data_end
 *    14: call bpf_map_lookup_elem#1          bpf_map_lookup_elem(rxcnt, fp-4) = rxcnt+0
 *    15: *(u64 *)(r10 -8) = r1               fp-8: 0100000000000000
 * ```
 *
 * Steps in called functions are indented, two blanks a call.
 */
export function* traceText(
  trace: RunTrace,
  object: BpfObject,
  style: Terminal['style'] = (_, text) => text,
): Generator<string, void, void> {
  const registers = new RegisterTexts();
  let program: BpfProgram | undefined;
  let names: Names = {};
  let place = '';
  for (const step of trace.steps) {
    if (program?.function !== step.program) {
      program = object.programs.find((one) => one.function === step.program);
      if (program === undefined) return;
      names = namesOf(object, program);
      registers.enter();
      place = '';
    }
    const indent = '  '.repeat(step.frame);
    const begins = names.function?.(step.instruction);
    if (begins !== undefined) yield style('bold', `${indent}${begins}:`);
    const { source } = step;
    const here = source === undefined ? '' : `${source.file}:${source.line}`;
    if (source !== undefined && here !== place) yield style('dim', indent + sourceComment(source));
    place = here;
    const text = disassembleInstruction(program.instructions, step.instruction, names);
    const left = `${indent}${String(step.instruction).padStart(SLOT_WIDTH)}: ${text}`;
    const changes = registers.changes(step);
    yield changes === '' ? left : `${left.padEnd(CHANGES_AT)}  ${style('cyan', changes)}`;
  }
  if (trace.truncated) yield style('yellow', `… and more steps than the ${trace.steps.length} shown`);
}

/** What the registers hold, as text, so that arguments of calls can be told by what they point to. */
class RegisterTexts {
  readonly #held = new Map<number, { readonly value: bigint; readonly text: string }>();

  /** At a program's begin. */
  enter(): void {
    this.#held.clear();
  }

  changes({ registers, memory, call }: TraceStep): string {
    const parts: string[] = [];
    if (call !== undefined) {
      const given = call.arguments.map((value, index) => this.#argument(index + FIRST_ARGUMENT, value));
      const result = registers.find((one) => one.register === 0);
      const returned =
        result !== undefined
          ? ` = ${textOf(result)}`
          : call.result === undefined
            ? ''
            : ` = ${numberText(call.result)}`;
      parts.push(`${call.name}(${given.join(', ')})${returned}`);
    }
    for (const change of registers) {
      this.#held.set(change.register, { value: change.value, text: textOf(change) });
      if (call === undefined || change.register !== 0) parts.push(`r${change.register}=${textOf(change)}`);
    }
    if (memory !== undefined) parts.push(`${memory.place}: ${Buffer.from(memory.bytes).toString('hex')}`);
    return parts.join(' ');
  }

  #argument(register: number, value: bigint): string {
    const held = this.#held.get(register);
    if (held?.value === value) return held.text;
    // Nothing has changed r1 since the program was entered.
    return held === undefined && register === FIRST_ARGUMENT ? 'ctx' : numberText(value);
  }
}

function textOf({ value, place, kind }: RegisterChange): string {
  if (place === undefined) return kind === 'scalar' ? numberText(value) : `${kind} ${numberText(value)}`;
  return kind.endsWith('_or_null') && place !== 'null' ? `${place}?` : place;
}

/** Small numbers as they are, negative ones with their sign, large ones in hex. */
function numberText(value: bigint): string {
  const signed = BigInt.asIntN(64, value);
  if (signed < 0n && signed >= -4096n) return `${signed}`;
  return value < 4096n ? `${value}` : `0x${value.toString(16)}`;
}
