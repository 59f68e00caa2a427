/** Programs, maps and type information that are in the kernel already, found by their numbers and pinned by name. */
import { closeSync } from 'node:fs';
import { type Btf, parseBtf } from '../../sim/ebpf/btf.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import { addressOf, errnoName, type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { BpfMap, mapTypeName } from '../libbpf/map.ts';

/** `struct bpf_prog_info`, `struct bpf_map_info`, `struct bpf_btf_info` (linux/bpf.h): offsets in bytes. */
const PROG_INFO = { id: 4, nr_map_ids: 52, map_ids: 56, name: 64, size: 80 } as const;
const MAP_INFO = {
  type: 0,
  id: 4,
  key_size: 8,
  value_size: 12,
  max_entries: 16,
  name: 24,
  btf_id: 64,
  btf_key_type_id: 68,
  btf_value_type_id: 72,
  size: 88,
} as const;
const BTF_INFO = { btf: 0, btf_size: 8, size: 16 } as const;
/** BPF_OBJ_NAME_LEN. */
const NAME_LENGTH = 16;

interface Functions {
  bpf_prog_get_fd_by_id(id: number): number;
  bpf_map_get_fd_by_id(id: number): number;
  bpf_btf_get_fd_by_id(id: number): number;
  bpf_obj_get_info_by_fd(fd: number, info: Uint8Array, length: Uint32Array): number;
  bpf_obj_pin(fd: number, path: string): number;
  bpf_obj_get(path: string): number;
}

let loaded: Functions | undefined;

function functions(): Functions {
  if (loaded !== undefined) return loaded;
  const library = requireLibbpf().koffi.load('libbpf.so.1');
  loaded = {
    bpf_prog_get_fd_by_id: library.func('bpf_prog_get_fd_by_id', 'int', ['uint32_t']),
    bpf_map_get_fd_by_id: library.func('bpf_map_get_fd_by_id', 'int', ['uint32_t']),
    bpf_btf_get_fd_by_id: library.func('bpf_btf_get_fd_by_id', 'int', ['uint32_t']),
    bpf_obj_get_info_by_fd: library.func('bpf_obj_get_info_by_fd', 'int', ['int', 'void *', 'void *']),
    bpf_obj_pin: library.func('bpf_obj_pin', 'int', ['int', 'str']),
    bpf_obj_get: library.func('bpf_obj_get', 'int', ['str']),
  };
  return loaded;
}

/** One program as the kernel tells of it. */
export interface ProgramInfo {
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
  readonly mapIds: readonly number[];
}

/** @returns undefined where there is no such program any more */
export function programInfo(id: number): ProgramInfo | undefined {
  return withProgram(id, (fd) => {
    const first = info(fd, PROG_INFO.size);
    const ids = new Uint32Array(first.getUint32(PROG_INFO.nr_map_ids, true));
    if (ids.length > 0) {
      // Asked again, with room for the maps' numbers.
      const request = new DataView(new ArrayBuffer(PROG_INFO.size));
      request.setUint32(PROG_INFO.nr_map_ids, ids.length, true);
      request.setBigUint64(PROG_INFO.map_ids, BigInt(addressOf(new Uint8Array(ids.buffer))), true);
      info(fd, PROG_INFO.size, request);
    }
    return { id, name: nameAt(first, PROG_INFO.name), mapIds: [...ids] };
  });
}

/** The kernel's number of a program that this process has loaded. */
export function programId(fd: number): number {
  return info(fd, PROG_INFO.size).getUint32(PROG_INFO.id, true);
}

/** Calls `use` with a descriptor of a program; undefined where there is no such program. */
export function withProgram<T>(id: number, use: (fd: number) => T): T | undefined {
  const fd = functions().bpf_prog_get_fd_by_id(id);
  if (fd < 0) return undefined;
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** A map in the kernel, with the type information that it was made with. Closed by `close`. */
export class KernelMap {
  readonly id: number;
  readonly map: BpfMap;
  /** Undefined where the map has none: device maps and the like never do. */
  readonly types: { readonly btf: Btf; readonly key: number; readonly value: number } | undefined;

  /** @param fd taken over */
  private constructor(libbpf: LoadedLibbpf, fd: number, name: string | undefined) {
    const view = info(fd, MAP_INFO.size);
    this.id = view.getUint32(MAP_INFO.id, true);
    const definition: MapDefinition = {
      name: name ?? sectionName(nameAt(view, MAP_INFO.name)),
      type: mapTypeName(view.getUint32(MAP_INFO.type, true)),
      keySize: view.getUint32(MAP_INFO.key_size, true),
      valueSize: view.getUint32(MAP_INFO.value_size, true),
      maxEntries: view.getUint32(MAP_INFO.max_entries, true),
    };
    this.map = new BpfMap(libbpf, fd, definition);
    const btf = readBtf(view.getUint32(MAP_INFO.btf_id, true));
    const key = view.getUint32(MAP_INFO.btf_key_type_id, true);
    const value = view.getUint32(MAP_INFO.btf_value_type_id, true);
    this.types = btf === undefined ? undefined : { btf, key, value };
  }

  /**
   * Opens a map by its number.
   * @param name the whole name, where it is known: the kernel keeps 15 characters
   * @returns undefined where there is no such map any more
   */
  static byId(id: number, name?: string): KernelMap | undefined {
    const fd = functions().bpf_map_get_fd_by_id(id);
    return fd < 0 ? undefined : new KernelMap(requireLibbpf(), fd, name);
  }

  close(): void {
    closeSync(this.map.fd);
  }
}

/** @throws {EngineError} where the file system refuses */
export function pin(fd: number, path: string): void {
  const result = functions().bpf_obj_pin(fd, path);
  if (result < 0) throw new EngineError('environment', `${path} cannot be pinned: ${errnoName(result)}`);
}

/** The number of the map that is pinned there; undefined for none. */
export function pinnedMapId(path: string): number | undefined {
  const fd = functions().bpf_obj_get(path);
  if (fd < 0) return undefined;
  try {
    return info(fd, MAP_INFO.size).getUint32(MAP_INFO.id, true);
  } finally {
    closeSync(fd);
  }
}

function readBtf(id: number): Btf | undefined {
  if (id === 0) return undefined;
  const fd = functions().bpf_btf_get_fd_by_id(id);
  if (fd < 0) return undefined;
  try {
    const size = info(fd, BTF_INFO.size).getUint32(BTF_INFO.btf_size, true);
    const bytes = new Uint8Array(size);
    const request = new DataView(new ArrayBuffer(BTF_INFO.size));
    request.setBigUint64(BTF_INFO.btf, BigInt(addressOf(bytes)), true);
    request.setUint32(BTF_INFO.btf_size, size, true);
    info(fd, BTF_INFO.size, request);
    return parseBtf(bytes);
  } finally {
    closeSync(fd);
  }
}

function info(fd: number, size: number, request: DataView = new DataView(new ArrayBuffer(size))): DataView {
  const result = functions().bpf_obj_get_info_by_fd(
    fd,
    new Uint8Array(request.buffer),
    new Uint32Array([size]),
  );
  if (result < 0)
    throw new EngineError(
      'environment',
      `the kernel returns no information on an object: ${errnoName(result)}`,
    );
  return request;
}

function nameAt(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, at, NAME_LENGTH);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? NAME_LENGTH : end));
}

/** libbpf puts the object's name in front of a data section's: `icmp_ech.rodata`. */
function sectionName(name: string): string {
  const dot = name.indexOf('.');
  return dot > 0 ? name.slice(dot) : name;
}
