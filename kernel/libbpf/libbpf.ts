/**
 * libbpf.so.1, called through koffi: no compiler is needed on the user's machine.
 *
 * Everything is loaded on first use, once per thread. Pointers are passed as plain numbers: user-space addresses
 * stay below 2^53, and numbers cross the border faster than BigInts.
 */
import { type Availability, EngineError } from '../../sim/engines/engine.ts';
import { type Koffi, koffiFailure, loadKoffi } from '../koffi.ts';

/** An address in this process; 0 is NULL. */
export type Pointer = number;

/** The functions in use, with libbpf's own names. Those that return `int` give a negative errno on failure. */
export interface Libbpf {
  libbpf_version_string(): string;
  libbpf_num_possible_cpus(): number;
  /** Null silences libbpf, which otherwise writes to stderr. */
  libbpf_set_print(print: bigint | null): Pointer;

  bpf_object__open_mem(bytes: Uint8Array, size: number, options: Uint8Array): Pointer;
  bpf_object__load(object: Pointer): number;
  bpf_object__close(object: Pointer): void;
  bpf_object__btf(object: Pointer): Pointer;
  bpf_object__btf_fd(object: Pointer): number;
  bpf_object__next_program(object: Pointer, previous: Pointer): Pointer;
  bpf_object__next_map(object: Pointer, previous: Pointer): Pointer;

  bpf_program__name(program: Pointer): string;
  bpf_program__section_name(program: Pointer): string;
  bpf_program__type(program: Pointer): number;
  bpf_program__set_type(program: Pointer, type: number): number;
  bpf_program__expected_attach_type(program: Pointer): number;
  bpf_program__set_autoload(program: Pointer, autoload: boolean): number;
  bpf_program__fd(program: Pointer): number;
  bpf_program__insns(program: Pointer): Pointer;
  bpf_program__insn_cnt(program: Pointer): number;
  bpf_prog_load(
    type: number,
    name: string,
    license: string,
    instructions: Uint8Array,
    count: number,
    options: Uint8Array | null,
  ): number;
  bpf_btf_load(btf: Uint8Array, size: number, options: null): number;
  bpf_prog_test_run_opts(fd: number, options: Pointer): number;
  bpf_obj_get_info_by_fd(fd: number, info: Uint8Array, length: Uint32Array): number;
  bpf_map_create(
    type: number,
    name: string,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    options: Uint8Array | null,
  ): number;

  bpf_map__name(map: Pointer): string;
  bpf_map__fd(map: Pointer): number;
  bpf_map__type(map: Pointer): number;
  bpf_map__inner_map(map: Pointer): Pointer;
  bpf_map__set_inner_map_fd(map: Pointer, fd: number): number;
  bpf_map__map_extra(map: Pointer): number | bigint;
  bpf_map__btf_key_type_id(map: Pointer): number;
  bpf_map__btf_value_type_id(map: Pointer): number;
  bpf_map__key_size(map: Pointer): number;
  bpf_map__value_size(map: Pointer): number;
  bpf_map__max_entries(map: Pointer): number;
  bpf_map__set_type(map: Pointer, type: number): number;
  bpf_map__set_autocreate(map: Pointer, autocreate: boolean): number;
  bpf_map__set_max_entries(map: Pointer, entries: number): number;
  bpf_map__is_internal(map: Pointer): boolean;
  bpf_map__initial_value(map: Pointer, size: BigUint64Array): Pointer;
  bpf_map__map_flags(map: Pointer): number;
  bpf_map__set_map_flags(map: Pointer, flags: number): number;
  bpf_map__set_pin_path(map: Pointer, path: string | null): number;
  bpf_map__reuse_fd(map: Pointer, fd: number): number;

  bpf_map_lookup_elem(fd: number, key: Uint8Array, value: Uint8Array): number;
  bpf_map_update_elem(fd: number, key: Uint8Array, value: Uint8Array, flags: number): number;
  bpf_map_delete_elem(fd: number, key: Uint8Array): number;
  bpf_map_get_next_key(fd: number, key: Uint8Array | null, next: Uint8Array): number;
  bpf_map_lookup_batch(
    fd: number,
    from: Uint8Array | null,
    next: Uint8Array,
    keys: Uint8Array,
    values: Uint8Array,
    count: Uint32Array,
    options: null,
  ): number;
  bpf_map_update_batch(
    fd: number,
    keys: Uint8Array,
    values: Uint8Array,
    count: Uint32Array,
    options: null,
  ): number;

  bpf_map_lookup_and_delete_elem(fd: number, key: null, value: Uint8Array): number;
  bpf_map_delete_batch(fd: number, keys: Uint8Array, count: Uint32Array, options: null): number;

  btf__find_by_name_kind(btf: Pointer, name: string, kind: number): number;
  btf__type_cnt(btf: Pointer): number;
  btf__raw_data(btf: Pointer, size: Uint32Array): Pointer;
  btf__type_by_id(btf: Pointer, id: number): Pointer;
  btf__name_by_offset(btf: Pointer, offset: number): string;
}

const P = 'uintptr_t';

/** Result and arguments of each function, in koffi's words. */
const SIGNATURES: Readonly<Record<keyof Libbpf, readonly [result: string, ...args: string[]]>> = {
  libbpf_version_string: ['str'],
  libbpf_num_possible_cpus: ['int'],
  libbpf_set_print: [P, 'void *'],
  bpf_object__open_mem: [P, 'void *', 'size_t', 'void *'],
  bpf_object__load: ['int', P],
  bpf_object__close: ['void', P],
  bpf_object__btf: [P, P],
  bpf_object__btf_fd: ['int', P],
  bpf_object__next_program: [P, P, P],
  bpf_object__next_map: [P, P, P],
  bpf_program__name: ['str', P],
  bpf_program__section_name: ['str', P],
  bpf_program__type: ['int', P],
  bpf_program__set_type: ['int', P, 'int'],
  bpf_program__expected_attach_type: ['int', P],
  bpf_program__set_autoload: ['int', P, 'bool'],
  bpf_program__fd: ['int', P],
  bpf_program__insns: [P, P],
  bpf_program__insn_cnt: ['size_t', P],
  bpf_prog_load: ['int', 'int', 'str', 'str', 'void *', 'size_t', 'void *'],
  bpf_btf_load: ['int', 'void *', 'size_t', 'void *'],
  bpf_prog_test_run_opts: ['int', 'int', 'int64_t'],
  bpf_obj_get_info_by_fd: ['int', 'int', 'void *', 'void *'],
  bpf_map_create: ['int', 'int', 'str', 'uint32_t', 'uint32_t', 'uint32_t', 'void *'],
  bpf_map__name: ['str', P],
  bpf_map__fd: ['int', P],
  bpf_map__type: ['int', P],
  bpf_map__inner_map: [P, P],
  bpf_map__set_inner_map_fd: ['int', P, 'int'],
  bpf_map__map_extra: ['uint64_t', P],
  bpf_map__btf_key_type_id: ['uint32_t', P],
  bpf_map__btf_value_type_id: ['uint32_t', P],
  bpf_map__key_size: ['uint32_t', P],
  bpf_map__value_size: ['uint32_t', P],
  bpf_map__max_entries: ['uint32_t', P],
  bpf_map__set_type: ['int', P, 'uint32_t'],
  bpf_map__set_autocreate: ['int', P, 'bool'],
  bpf_map__set_max_entries: ['int', P, 'uint32_t'],
  bpf_map__is_internal: ['bool', P],
  bpf_map__initial_value: [P, P, 'void *'],
  bpf_map__map_flags: ['uint32_t', P],
  bpf_map__set_map_flags: ['int', P, 'uint32_t'],
  bpf_map__set_pin_path: ['int', P, 'str'],
  bpf_map__reuse_fd: ['int', P, 'int'],
  bpf_map_lookup_elem: ['int', 'int', 'void *', 'void *'],
  bpf_map_update_elem: ['int', 'int', 'void *', 'void *', 'uint64_t'],
  bpf_map_delete_elem: ['int', 'int', 'void *'],
  bpf_map_get_next_key: ['int', 'int', 'void *', 'void *'],
  bpf_map_lookup_batch: ['int', 'int', 'void *', 'void *', 'void *', 'void *', 'void *', 'void *'],
  bpf_map_update_batch: ['int', 'int', 'void *', 'void *', 'void *', 'void *'],
  bpf_map_lookup_and_delete_elem: ['int', 'int', 'void *', 'void *'],
  bpf_map_delete_batch: ['int', 'int', 'void *', 'void *', 'void *'],
  btf__find_by_name_kind: ['int', P, 'str', 'uint32_t'],
  btf__type_cnt: ['uint32_t', P],
  btf__raw_data: [P, P, 'void *'],
  btf__type_by_id: [P, P, 'uint32_t'],
  btf__name_by_offset: ['str', P, 'uint32_t'],
};

export interface LoadedLibbpf {
  readonly koffi: Koffi;
  readonly bpf: Libbpf;
  /**
   * `bpf_prog_test_run_opts` for hot loops: its result is thrown away, since making a JavaScript number of it
   * costs 2 % of a run. A failed run leaves `data_size_out` as it was; `koffi.errno()` then says why.
   */
  readonly testRun: (fd: number, options: Pointer) => void;
  /** Where that function lies, for native code that calls it. */
  readonly testRunAddress: bigint;
}

type State = { readonly loaded: LoadedLibbpf } | { readonly reason: string; readonly remedy: string };

let state: State | undefined;

/** Can libbpf be called here? Says nothing about rights or the kernel. */
export function libbpfAvailability(): Availability {
  const now = load();
  return 'loaded' in now ? { available: true } : { available: false, ...now };
}

/** @throws {EngineError} with the remedy, where koffi or libbpf are missing */
export function requireLibbpf(): LoadedLibbpf {
  const now = load();
  if ('loaded' in now) return now.loaded;
  throw new EngineError('environment', now.reason, { remedy: now.remedy });
}

function load(): State {
  state ??= tryToLoad();
  return state;
}

function tryToLoad(): State {
  if (process.platform !== 'linux') {
    return { reason: `this is ${process.platform}, not Linux`, remedy: 'run it on Linux' };
  }
  const koffi = loadKoffi();
  if (koffi === undefined) {
    return {
      reason: `koffi cannot be loaded (${koffiFailure()})`,
      remedy: 'npm install koffi',
    };
  }
  let library: ReturnType<Koffi['load']>;
  try {
    library = koffi.load('libbpf.so.1');
  } catch {
    return { reason: 'libbpf.so.1 not found', remedy: 'apt-get install libbpf1' };
  }
  try {
    const bpf = Object.fromEntries(
      Object.entries(SIGNATURES).map(([name, [result, ...args]]) => [name, library.func(name, result, args)]),
    ) as unknown as Libbpf;
    bpf.libbpf_set_print(null);
    const testRun = library.func('bpf_prog_test_run_opts', 'void', ['int', 'int64_t']);
    const testRunAddress = library.symbol('bpf_prog_test_run_opts') as bigint;
    return { loaded: { koffi, bpf, testRun, testRunAddress } };
  } catch (error) {
    return {
      reason: `libbpf.so.1 is too old (${error instanceof Error ? error.message : String(error)})`,
      remedy: 'install libbpf 1.0 or later',
    };
  }
}

/**
 * The address of an array's first byte, for structures that hold pointers. Valid as long as the array's buffer
 * lives and is not transferred; the garbage collector does not move it.
 */
export function addressOf(bytes: ArrayBufferView): Pointer {
  return Number(requireLibbpf().koffi.address(bytes));
}

/** A copy of `size` bytes at an address that the C side gave out. */
export function bytesAt(address: Pointer, size: number): Uint8Array {
  if (size === 0) return new Uint8Array(0);
  return requireLibbpf().koffi.decode(BigInt(address), 'uint8_t', size) as Uint8Array;
}

/** `ENOENT` for -2 and the like; the number where it has no name. */
export function errnoName(error: number): string {
  const number = Math.abs(error);
  const named = Object.entries(loadKoffi()?.os.errno ?? {}).find(([, value]) => value === number);
  return named?.[0] ?? `errno ${number}`;
}
