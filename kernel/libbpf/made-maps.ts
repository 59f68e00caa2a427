/**
 * Maps that a world makes after the inner template of a map of maps, as user space does for each CPU or customer. The kernel
 * takes those only whose type, sizes, flags and special fields are the template's (kernel/bpf/map_in_map.c,
 * `bpf_map_meta_equal`).
 */
import { EngineError } from '../../sim/engines/engine.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import { errnoName, type LoadedLibbpf, type Pointer } from './libbpf.ts';
import { mapTypeName } from './map.ts';

/** `struct bpf_map_create_opts` (bpf/bpf.h). */
const MAP_CREATE_OPTS = {
  sz: 0,
  btf_fd: 8,
  btf_key_type_id: 12,
  btf_value_type_id: 16,
  map_flags: 28,
  map_extra: 32,
  size: 56,
} as const;

export interface MadeMap {
  readonly fd: number;
  readonly definition: MapDefinition;
}

/** How inner maps of a map of maps have to be. libbpf forgets it once the object is loaded. */
export interface MapTemplate {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly extra: bigint;
  readonly keyTypeId: number;
  readonly valueTypeId: number;
}

/**
 * Of a map of an object that is open, and not loaded yet.
 * @returns undefined where it has no template
 */
export function templateFor({ bpf }: LoadedLibbpf, outer: Pointer): MapTemplate | undefined {
  const inner = bpf.bpf_map__inner_map(outer);
  if (inner === 0) return undefined;
  return {
    type: bpf.bpf_map__type(inner),
    keySize: bpf.bpf_map__key_size(inner),
    valueSize: bpf.bpf_map__value_size(inner),
    maxEntries: bpf.bpf_map__max_entries(inner),
    flags: bpf.bpf_map__map_flags(inner),
    extra: BigInt(bpf.bpf_map__map_extra(inner)),
    keyTypeId: bpf.bpf_map__btf_key_type_id(inner),
    valueTypeId: bpf.bpf_map__btf_value_type_id(inner),
  };
}

/**
 * Makes a map like a template.
 * @param btf the descriptor of the object's BTF; below 0: without types of keys and values
 * @returns a file descriptor, or a negative errno
 */
export function createLike({ bpf }: LoadedLibbpf, template: MapTemplate, btf: number = -1): number {
  const { type, keySize, valueSize, maxEntries } = template;
  return bpf.bpf_map_create(type, '', keySize, valueSize, maxEntries, optionsOf(template, btf));
}

/**
 * Makes a map after a template of a loaded object.
 * @param file how messages call the object
 * @throws {EngineError} `input`, where the kernel makes none like it
 */
export function makeMap(
  libbpf: LoadedLibbpf,
  object: Pointer,
  template: MapTemplate,
  name: string,
  file: string,
): MadeMap {
  let fd = createLike(libbpf, template, libbpf.bpf.bpf_object__btf_fd(object));
  // Maps of some types, and old kernels, take no types of keys and values.
  if (fd < 0) fd = createLike(libbpf, template);
  if (fd < 0) throw new EngineError('input', `${file}: the kernel makes no map ${name}: ${errnoName(fd)}`);
  const { keySize, valueSize, maxEntries } = template;
  return { fd, definition: { name, type: mapTypeName(template.type), keySize, valueSize, maxEntries } };
}

/** @param btf the descriptor of the object's BTF; below 0: without it */
function optionsOf({ flags, extra, keyTypeId, valueTypeId }: MapTemplate, btf: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(MAP_CREATE_OPTS.size));
  view.setBigUint64(MAP_CREATE_OPTS.sz, BigInt(MAP_CREATE_OPTS.size), true);
  view.setUint32(MAP_CREATE_OPTS.map_flags, flags, true);
  view.setBigUint64(MAP_CREATE_OPTS.map_extra, extra, true);
  if (btf >= 0) {
    view.setUint32(MAP_CREATE_OPTS.btf_fd, btf, true);
    view.setUint32(MAP_CREATE_OPTS.btf_key_type_id, keyTypeId, true);
    view.setUint32(MAP_CREATE_OPTS.btf_value_type_id, valueTypeId, true);
  }
  return new Uint8Array(view.buffer);
}
