/** `bpf_trace_printk` on a path: how much it prints, or that it cannot, is anything; what it prints is not looked at. */
import type { SymbolicHelper } from './symbolic-helper.ts';

const print: SymbolicHelper = (inputs, state) => {
  const { pool } = state;
  const ordinal = state.answers.length;
  const name = `${inputs.isSecond ? 'second.' : ''}bpf_trace_printk.${ordinal}`;
  const number = pool.unknown(32, name);
  const result = pool.signExtend(64, number);
  state.answers = [
    ...state.answers,
    {
      helper: 'bpf_trace_printk',
      name,
      question: { shape: name, numbers: [], read: [] },
      ordinal,
      result,
      read: [],
      written: [],
      arguments: [],
      open: { number, through: [] },
    },
  ];
  return result;
};

export const TRACE_HELPERS: Readonly<Record<string, SymbolicHelper>> = { bpf_trace_printk: print };
