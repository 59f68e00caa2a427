/**
 * What libbpf and the verifier have to say when an object does not load.
 *
 * libbpf keeps one print function for the whole process, and a JavaScript callback belongs to one thread. So
 * libbpf is silent as a rule, and only a load that has failed is tried again with ears open: the verifier's log
 * through a buffer of that object's own, libbpf's messages through a callback, on the main thread alone.
 */
import { isMainThread } from 'node:worker_threads';
import { requireLibbpf } from './libbpf.ts';

const WARN = 0;
const LINE = 4096;

let callback: bigint | undefined;
let heard: string[] = [];

/** Calls `fn` and returns what libbpf warned of meanwhile, one string a line, without the prefix `libbpf: `. */
export function listenToLibbpf(fn: () => void): string[] {
  if (!isMainThread) {
    fn();
    return [];
  }
  const { bpf } = requireLibbpf();
  callback ??= registerPrint();
  heard = [];
  bpf.libbpf_set_print(callback);
  try {
    fn();
  } finally {
    bpf.libbpf_set_print(null);
  }
  return heard
    .join('')
    .split('\n')
    .map((line) => line.replace(/^libbpf: /, ''))
    .filter((line) => line !== '');
}

/** `libbpf_print_fn_t`. Its va_list is a pointer on x86-64 and arm64 alike, and goes to vsnprintf unopened. */
function registerPrint(): bigint {
  const { koffi } = requireLibbpf();
  const vsnprintf = koffi
    .load('libc.so.6')
    .func('vsnprintf', 'int', ['void *', 'size_t', 'void *', 'void *']);
  const prototype = koffi.proto('int', ['int', 'void *', 'void *']);
  const line = new Uint8Array(LINE);
  return koffi.register((level: number, format: bigint, values: bigint): number => {
    if (level !== WARN) return 0;
    const length = vsnprintf(line, LINE, format, values) as number;
    heard.push(new TextDecoder().decode(line.subarray(0, Math.max(0, Math.min(length, LINE - 1)))));
    return length;
  }, koffi.pointer(prototype));
}
