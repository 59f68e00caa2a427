/** `bpf_trace_printk` on a path: how much it prints, or that it cannot, is anything; what it prints is not looked at. */
import { readBytes } from './access.ts';
import { nextAnswerName, noteAnswer } from './note-answer.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';

const print: SymbolicHelper = (inputs, state, [format, size]) => {
  const { pool } = state;
  // All of the format has to be there, whatever comes behind its zero.
  readBytes(inputs, state, format!, state.int(size!.term));
  const number = pool.unknown(32, nextAnswerName(inputs, state, 'bpf_trace_printk'));
  const result = pool.signExtend(64, number);
  noteAnswer(inputs, state, 'bpf_trace_printk', { number }, result);
  return result;
};

export const TRACE_HELPERS: Readonly<Record<string, SymbolicHelper>> = { bpf_trace_printk: print };
