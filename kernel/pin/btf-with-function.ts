/** Adds the type of a function to BTF (Documentation/bpf/btf.rst): the kernel wants one for every function of a program. */

const MAGIC = 0xeb9f;
/** `struct btf_header` */
const HEADER = { magic: 0, hdr_len: 4, type_off: 8, type_len: 12, str_off: 16, str_len: 20 } as const;

const KIND_FUNC = 12;
const KIND_FUNC_PROTO = 13;
const TYPE_SIZE = 12;

export interface BtfWithFunction {
  readonly bytes: Uint8Array;
  /** BTF id of a static function without parameters that returns nothing. */
  readonly functionId: number;
}

/**
 * @param btf as libbpf holds it
 * @param types how many types it has, the void type 0 included
 * @returns undefined for BTF that is laid out otherwise than compilers and libbpf do it: types, then strings
 */
export function btfWithFunction(btf: Uint8Array, types: number, name: string): BtfWithFunction | undefined {
  const view = new DataView(btf.buffer, btf.byteOffset, btf.byteLength);
  if (btf.length < 24 || view.getUint16(HEADER.magic, true) !== MAGIC) return undefined;
  const headerLength = view.getUint32(HEADER.hdr_len, true);
  const typeLength = view.getUint32(HEADER.type_len, true);
  const stringLength = view.getUint32(HEADER.str_len, true);
  const typesAt = headerLength + view.getUint32(HEADER.type_off, true);
  const stringsAt = headerLength + view.getUint32(HEADER.str_off, true);
  if (view.getUint32(HEADER.type_off, true) !== 0 || stringsAt < typesAt + typeLength) return undefined;
  if (stringsAt + stringLength > btf.length) return undefined;

  const text = new TextEncoder().encode(`${name}\0`);
  const added = new Uint32Array([
    // FUNC_PROTO: no name, no parameters, returns void.
    0,
    KIND_FUNC_PROTO << 24,
    0,
    // FUNC: the lower bits of info are the linkage, 0 static.
    stringLength,
    KIND_FUNC << 24,
    types,
  ]);
  const bytes = new Uint8Array(headerLength + typeLength + 2 * TYPE_SIZE + stringLength + text.length);
  bytes.set(btf.subarray(0, headerLength));
  bytes.set(btf.subarray(typesAt, typesAt + typeLength), headerLength);
  bytes.set(new Uint8Array(added.buffer), headerLength + typeLength);
  const newStringsAt = headerLength + typeLength + 2 * TYPE_SIZE;
  bytes.set(btf.subarray(stringsAt, stringsAt + stringLength), newStringsAt);
  bytes.set(text, newStringsAt + stringLength);
  const header = new DataView(bytes.buffer);
  header.setUint32(HEADER.type_len, typeLength + 2 * TYPE_SIZE, true);
  header.setUint32(HEADER.str_off, typeLength + 2 * TYPE_SIZE, true);
  header.setUint32(HEADER.str_len, stringLength + text.length, true);
  return { bytes, functionId: types + 1 };
}
