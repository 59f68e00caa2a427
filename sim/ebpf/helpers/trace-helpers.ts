/** `bpf_printk` and its longer brother (kernel/trace/bpf_trace.c), and `bpf_snprintf` (kernel/bpf/helpers.c). */
import { EINVAL } from '../../runtime/errno.ts';
import { traceTextOf } from '../../runtime/trace-text.ts';
import { Forbidden, type Machine } from '../machine.ts';
import { formatAt, formatText, isFormat } from './format.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** Bytes of a line, its end included (kernel/trace/bpf_trace.c, `BPF_TRACE_PRINTK_SIZE`). */
const LINE_BYTES = 1024;
/** Arguments of one call (include/linux/bpf.h, `MAX_BPRINTF_VARARGS`). */
const MAX_ARGUMENTS = 12;

/** Keeps the line, to a zero that `%c` may have put into it; returns its length, as the kernel does. */
function print(machine: Machine, text: string | number): number {
  if (typeof text === 'number') return text;
  const [line] = text.slice(0, LINE_BYTES - 1).split('\0', 1);
  machine.lines.push(traceTextOf(line!).replace(/\n+$/, ''));
  return text.length;
}

/** Formats with the arguments of an array of u64. */
function formatArray(
  machine: Machine,
  format: Uint8Array | undefined,
  data: number,
  bytes: number,
  room: number,
): string | number {
  if (format === undefined || bytes % 8 !== 0 || bytes > MAX_ARGUMENTS * 8 || (bytes > 0 && data === 0))
    return -EINVAL;
  return formatText(machine, format, (index) => machine.memory.u64(data + index * 8), bytes / 8, room);
}

export const TRACE_HELPERS: readonly Helper[] = [
  {
    number: 6,
    name: 'bpf_trace_printk',
    arguments: ['memory', 'size'],
    variadic: true,
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'trace' },
    symbolic: 'any value',
    run: (machine, format, size, c, d, e) => {
      const text = formatAt(machine, format, size);
      if (text === undefined) return -EINVAL;
      const low = [c, d, e];
      const argument = (index: number): bigint =>
        (BigInt(machine.high(2 + index)) << 32n) | BigInt(low[index]! >>> 0);
      return print(machine, formatText(machine, text, argument, 3, LINE_BYTES));
    },
  },
  {
    number: 177,
    name: 'bpf_trace_vprintk',
    arguments: ['memory', 'size', 'memory_or_null', 'size_or_zero'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'trace' },
    symbolic: 'any value',
    run: (machine, format, size, data, bytes) =>
      print(machine, formatArray(machine, formatAt(machine, format, size), data, bytes, LINE_BYTES)),
  },
  {
    number: 165,
    name: 'bpf_snprintf',
    arguments: ['memory_out', 'size_or_zero', 'string', 'memory_or_null', 'size_or_zero'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, out, size, format, data, bytes) => {
      const source = formatAt(machine, format, 0x1_0000);
      // `check_bpf_snprintf_call`: the verifier reads the format, which cannot change.
      if (source === undefined || !isFormat(source, Math.floor(bytes / 8)))
        throw new Forbidden('Invalid format string');
      const text = formatArray(machine, source, data, bytes, size);
      if (typeof text === 'number') return text;
      const { u8 } = machine.memory;
      const shown = Math.min(text.length, size - 1);
      for (let index = 0; index < shown; index++) u8[out + index] = text.charCodeAt(index);
      if (size > 0) u8[out + shown] = 0;
      // The length that it would have had, and its end.
      return text.length + 1;
    },
  },
];
