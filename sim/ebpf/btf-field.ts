/** Which field of a type a byte belongs to, as C names it: `.last[2].seen`. */
import { BTF_KIND, type Btf } from './btf.ts';

/** A number inside of a value, or an array of bytes. */
export interface TypeField {
  /** What C writes behind the value's own name; empty where the value is a number itself. */
  readonly path: string;
  /** Bytes from the begin of the value. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Is it an array of bytes, as addresses are? */
  readonly isBytes: boolean;
}

/** Members of members. */
const MAX_DEPTH = 32;

/**
 * The field that a byte of a value belongs to. Of a union it is the first member that has the byte.
 * @param id BTF id of the value's type
 * @returns undefined for padding and bit fields, and beyond the value's end
 */
export function fieldAt(btf: Btf, id: number, offset: number): TypeField | undefined {
  let path = '';
  let type = btf.resolve(id);
  let start = 0;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const kind = btf.kind(type);
    if (kind === BTF_KIND.ARRAY) {
      const { elementType, count } = btf.array(type);
      const size = btf.sizeOf(elementType);
      const index = size === 0 ? count : Math.floor((offset - start) / size);
      if (index >= count) return undefined;
      if (size === 1) return { path, offset: start, size: count, isBytes: true };
      path += `[${index}]`;
      start += index * size;
      type = btf.resolve(elementType);
    } else if (kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION) {
      const member = btf.members(type).find(({ typeId, bitOffset, bitfieldSize }) => {
        const at = start + bitOffset / 8;
        return bitfieldSize === 0 && offset >= at && offset < at + btf.sizeOf(typeId);
      });
      if (member === undefined) return undefined;
      if (member.name !== '') path += `.${member.name}`;
      start += member.bitOffset / 8;
      type = btf.resolve(member.typeId);
    } else {
      const size = btf.sizeOf(type);
      return offset < start + size ? { path, offset: start, size, isBytes: false } : undefined;
    }
  }
  return undefined;
}

/** The fields of a type in their order, as `fieldAt` finds them; undefined where some byte belongs to none. */
export function fieldsOf(btf: Btf, id: number): readonly TypeField[] | undefined {
  const size = btf.sizeOf(id);
  const fields: TypeField[] = [];
  for (let at = 0; at < size; ) {
    const field = fieldAt(btf, id, at);
    if (field === undefined) return undefined;
    fields.push(field);
    at = field.offset + field.size;
  }
  return fields;
}
