/** Why an object could not be loaded, as the error that people see. */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { readElf } from '../../sim/ebpf/loader/elf.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { E2BIG, EAGAIN, EINTR, EMFILE, ENFILE, ENOENT, ENOMEM, EPERM } from '../../sim/runtime/errno.ts';
import { errnoName } from './libbpf.ts';

export interface LoadFailure {
  readonly stage: 'open' | 'load';
  /** A negative errno. */
  readonly error: number;
}

/**
 * What the machine lacked at that moment, which says nothing about the object. -EAGAIN is a signal that came while
 * the verifier worked (`do_check`, kernel/bpf/verifier.c).
 */
const OF_THE_MACHINE: ReadonlyMap<number, { readonly problem: string; readonly remedy: string }> = new Map([
  [EAGAIN, { problem: 'signals kept interrupting the verifier', remedy: 'run the command again' }],
  [EINTR, { problem: 'a signal interrupted it', remedy: 'run the command again' }],
  [EMFILE, { problem: 'too many open files', remedy: 'raise the limit: ulimit -n 1024' }],
  [ENFILE, { problem: 'the system has too many open files', remedy: 'raise sysctl fs.file-max' }],
  [ENOMEM, { problem: 'not enough memory', remedy: 'free some memory, or make its maps smaller' }],
]);

/** What was to be loaded. */
interface FailedObject {
  readonly file: string;
  readonly entries: readonly { readonly function: string }[];
  /** Tells what it leaves to its loader. */
  readonly bytes?: Uint8Array;
}

/** Would the same load work if it were asked for again? */
export function isMomentary({ error }: LoadFailure): boolean {
  return error === -EAGAIN || error === -EINTR;
}

/**
 * Did the verifier give up on what it was given? Too many jumps that were not looked at yet are -ENOMEM to some of its callers
 * (`push_stack`, kernel/bpf/verifier.c), as if memory had been short; too many instructions are -E2BIG.
 */
export function isTooComplex({ error }: LoadFailure, verifierLog: string): boolean {
  return error === -E2BIG || /^The sequence of \d+ jumps is too complex/m.test(verifierLog);
}

/**
 * What the kernel or libbpf said, as an error: `environment` where the machine lacked something, `input` where the
 * object is refused.
 * @param messages What libbpf logged.
 */
export function describeLoadFailure(
  { stage, error }: LoadFailure,
  { file, entries, bytes }: FailedObject,
  messages: readonly string[],
  verifierLog: string,
): EngineError {
  const log = [...messages, verifierLog].filter((part) => part !== '').join('\n');
  const details = log === '' ? {} : { log };
  if (error === -EPERM) {
    return new EngineError('environment', `the kernel does not let ${file} be loaded (EPERM)`, {
      remedy: 'run as root (or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
      ...details,
    });
  }
  const lack = isTooComplex({ stage, error }, verifierLog) ? undefined : OF_THE_MACHINE.get(-error);
  if (lack !== undefined && stage === 'load') {
    return new EngineError('environment', `the kernel could not load ${file}: ${lack.problem}`, {
      remedy: lack.remedy,
      ...details,
    });
  }
  const functions = entries.map((entry) => entry.function).join(', ');
  if (verifierLog.includes('metadata kfuncs require device-bound program')) {
    return lackingHere(
      `${file}: the kernel lets only programs that are bound to a device read its driver’s metadata (bpf_xdp_metadata_rx_…), and runs none of those for a test`,
      'vm and wasm run it: there these functions return -EOPNOTSUPP',
      details,
    );
  }
  const said = messages.join('\n');
  const absent = /extern \((func|var) ksym\) '(\w+)': not found in kernel/.exec(said);
  if (absent !== null) {
    const what = absent[1] === 'func' ? 'function' : 'variable';
    return lackingHere(
      `${file}: this kernel has no ${what} ${absent[2]}, or the module that has it is not loaded`,
      `load the module, or use a kernel with it; vm and wasm run the program if they know the ${what} (docs/helpers.md)`,
      details,
    );
  }
  const uncreated = /map '([^']+)': failed to create/.exec(said)?.[1];
  if (uncreated !== undefined && bytes !== undefined && isOfUnknownMaps(bytes, uncreated)) {
    return lackingHere(
      `${file}: only its loader says what maps ${uncreated} holds (bpf_map__set_inner_map_fd)`,
      'declare the inner map in its BTF definition: __array(values, …); vm and wasm run the program as it is',
      details,
    );
  }
  const placeless = /ldimm64 failed to find the address for kernel symbol '(\w+)'/.exec(verifierLog);
  if (placeless !== null) {
    return lackingHere(
      `${file}: this kernel does not tell where its variable ${placeless[1]} is`,
      'use a kernel that is built with CONFIG_KALLSYMS_ALL; vm and wasm run the program',
      details,
    );
  }
  if (verifierLog !== '') {
    return new EngineError(
      'input',
      `the verifier refuses ${functions} of ${file} (${errnoName(error)})`,
      details,
    );
  }
  const verb = stage === 'open' ? 'read' : 'load';
  const merged = stage === 'open' && error === -ENOENT ? mergedConstants(bytes) : undefined;
  if (merged !== undefined) {
    return new EngineError(
      'input',
      `libbpf cannot read ${file}: it looks for a section .rodata, and finds ${merged} only`,
      {
        remedy:
          'clang has put constants there that it may merge: declare them volatile; vm and wasm run it as it is',
        ...details,
      },
    );
  }
  const reason = messages.at(-1);
  if (reason?.includes('legacy map definitions') === true) {
    return new EngineError('input', `libbpf cannot ${verb} ${file}: ${reason}`, {
      remedy: 'define its maps in SEC(".maps"), as BTF types; vm and wasm run it as it is',
      ...details,
    });
  }
  return new EngineError(
    'input',
    `libbpf cannot ${verb} ${file}: ${errnoName(error)}${reason === undefined ? '' : `: ${reason}`}`,
    details,
  );
}

/** Does the object leave it to its loader of what kind the maps in this map are? */
function isOfUnknownMaps(bytes: Uint8Array, name: string): boolean {
  try {
    const map = linkedObject(bytes).maps.find((one) => one.name === name);
    return map?.inner === undefined && (map?.type === 'ARRAY_OF_MAPS' || map?.type === 'HASH_OF_MAPS');
  } catch (error) {
    // The machine cannot read it either.
    if (error instanceof ObjectError) return false;
    throw error;
  }
}

/**
 * A table of 4 to 32 bytes that is only read lies in a section of its own, `.rodata.cst8`, but the object's types say that it lies in
 * `.rodata`: where there is none, libbpf gives up (tools/lib/bpf/libbpf.c, `btf_fixup_datasec`).
 */
function mergedConstants(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const names = readElf(bytes).sections.map(({ name }) => name);
  return names.includes('.rodata') ? undefined : names.find((name) => name.startsWith('.rodata.cst'));
}

/** What an object may rightly ask for, and this kernel has not. */
function lackingHere(message: string, remedy: string, details: { readonly log?: string }): EngineError {
  return new EngineError('environment', message, { remedy, lacking: true, ...details });
}
