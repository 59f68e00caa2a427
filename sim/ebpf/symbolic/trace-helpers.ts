/** `bpf_trace_printk` on a path: how much it prints, or that it cannot, is anything; what it prints is noted. */
import { readBytes } from './access.ts';
import { noteAct } from './acts.ts';
import type { Inputs } from './inputs.ts';
import { nextAnswerName, noteAnswer } from './note-answer.ts';
import type { PathState } from './path-state.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import { isConst, type Term } from './term.ts';

const PRINT = 'bpf_trace_printk';
/** r3 to r5. */
const FIRST_PRINTED = 3;
const MOST_PRINTED = 3;

const print: SymbolicHelper = (inputs, state, [format, size]) => {
  const { pool } = state;
  // All of the format has to be there, whatever comes behind its zero.
  const text = readBytes(inputs, state, format!, state.int(size!.term));
  const printed = printedArguments(inputs, state, text);
  noteAct(state, PRINT, 'trace', [...text, ...printed.terms], `${text.length} bytes, ${printed.kinds}`);
  const number = pool.unknown(32, nextAnswerName(inputs, state, PRINT));
  const result = pool.signExtend(64, number);
  noteAnswer(inputs, state, PRINT, { number }, result);
  return result;
};

/** As many registers as the format asks for: what the others hold, nobody prints. */
function printedArguments(
  inputs: Inputs,
  { registers }: PathState,
  text: readonly Term[],
): { readonly terms: readonly Term[]; readonly kinds: string } {
  const values = registers.slice(FIRST_PRINTED, FIRST_PRINTED + conversions(text));
  const isNumber = values.every((one) => one !== undefined && one.region === undefined);
  // What lies behind addresses nobody compares.
  if (!isNumber) return { terms: [], kinds: `addresses ${inputs.isSecond ? 'second' : 'first'}` };
  return { terms: values.map((one) => one!.term), kinds: `${values.length} numbers` };
}

function conversions(text: readonly Term[]): number {
  const known = String.fromCharCode(...text.map((byte) => (isConst(byte) ? Number(byte.value) : 0)));
  const format = known.split('\0')[0]!.replaceAll('%%', '');
  return Math.min(MOST_PRINTED, format.split('%').length - 1);
}

export const TRACE_HELPERS: Readonly<Record<string, SymbolicHelper>> = { [PRINT]: print };
