/** The section `.BTF.ext`: what BTF says about single instructions (Documentation/bpf/btf.rst §4.2). */
import type { Btf } from '../btf.ts';
import { INSTRUCTION_SIZE } from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import { Reader } from './reader.ts';

/** All three tables, by the name of the ELF section; instructions count in slots from its begin, in order. */
export interface BtfExt {
  readonly functions: ReadonlyMap<string, readonly FunctionInfo[]>;
  readonly lines: ReadonlyMap<string, readonly LineInfo[]>;
  readonly relocations: ReadonlyMap<string, readonly CoreRelocation[]>;
}

export interface FunctionInfo {
  readonly instruction: number;
  /** BTF id of the FUNC. */
  readonly typeId: number;
}

export interface LineInfo {
  readonly instruction: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** One record of `struct bpf_core_relo`. */
export interface CoreRelocation {
  readonly instruction: number;
  /** BTF id, in the object, of the type that the program was compiled with. */
  readonly typeId: number;
  /** The way from the type to the field, as indices: `0:1:2`. */
  readonly access: string;
  /** `enum bpf_core_relo_kind`. */
  readonly kind: number;
}

const MAGIC = 0xeb9f;
const HEADER_SIZE = 24;
/** With this length or more, the header also says where CO-RE relocations are. */
const HEADER_SIZE_CORE = 32;

/**
 * Reads all of `.BTF.ext`.
 * @throws {ObjectError} when tables leave the section, or records name no instruction
 */
export function readBtfExt(bytes: Uint8Array, btf: Btf): BtfExt {
  const data = new Reader(bytes, '.BTF.ext');
  const magic = data.u16(0, 'the magic');
  if (magic !== MAGIC) throw new ObjectError('.BTF.ext +0x0', 'the magic 0xeb9f', `0x${magic.toString(16)}`);
  const version = data.u8(2, 'the version');
  if (version !== 1) throw new ObjectError('.BTF.ext +0x2', 'version 1', `${version}`);
  const headerSize = data.u32(4, 'hdr_len');
  if (headerSize < HEADER_SIZE) {
    throw new ObjectError('.BTF.ext +0x4', `a header of at least ${HEADER_SIZE} bytes`, `${headerSize}`);
  }
  const table = (field: number, what: string): Reader =>
    data.slice(headerSize + data.u32(field, what), data.u32(field + 4, what), `.BTF.ext ${what}`, what);

  const functions = readTable(table(8, 'function info'), 8, btf, (record, at, instruction) => ({
    instruction,
    typeId: record.u32(at + 4, 'type_id'),
  }));
  // Line 0 says that an instruction comes from no line in particular: the line before it goes on.
  const lines = readTable(
    table(16, 'line info'),
    16,
    btf,
    (record, at, instruction): LineInfo | undefined => {
      if (record.u32(at + 12, 'line_col') >>> 10 === 0) return undefined;
      const place = record.u32(at + 12, 'line_col');
      return {
        instruction,
        // Compilers that are told to keep folders out of the object write “./prog.bpf.c”.
        file: btf.text(record.u32(at + 4, 'file_name_off')).replace(/^(\.\/)+/, ''),
        line: place >>> 10,
        column: place & 0x3ff,
        text: btf.text(record.u32(at + 8, 'line_off')).trim(),
      };
    },
  );
  const relocations =
    headerSize >= HEADER_SIZE_CORE
      ? readTable(table(24, 'CO-RE relocations'), 16, btf, (record, at, instruction) => ({
          instruction,
          typeId: record.u32(at + 4, 'type_id'),
          access: btf.string(record.u32(at + 8, 'access_str_off')),
          kind: record.u32(at + 12, 'kind'),
        }))
      : new Map<string, CoreRelocation[]>();
  return { functions, lines, relocations };
}

/**
 * One table: the size of its records, then for each section its name, the number of records, the records.
 * Records may grow with new compilers: what lies behind `knownSize` is stepped over.
 */
function readTable<Info extends { readonly instruction: number }>(
  table: Reader,
  knownSize: number,
  btf: Btf,
  read: (record: Reader, at: number, instruction: number) => Info | undefined,
): Map<string, Info[]> {
  const bySection = new Map<string, Info[]>();
  if (table.length === 0) return bySection;
  const recordSize = table.u32(0, 'record size');
  if (recordSize < knownSize || recordSize % 4 !== 0) {
    throw new ObjectError(
      table.where,
      `records of ${knownSize} bytes or a larger multiple of 4`,
      `${recordSize}`,
    );
  }
  for (let at = 4; at < table.length; ) {
    const name = btf.string(table.u32(at, 'section name'));
    const count = table.u32(at + 4, 'number of records');
    at += 8;
    table.require(at, count * recordSize, `${count} records`);
    const infos = bySection.get(name) ?? [];
    for (let index = 0; index < count; index++, at += recordSize) {
      const offset = table.u32(at, 'insn_off');
      if (offset % INSTRUCTION_SIZE !== 0) {
        throw new ObjectError(
          `${table.where} +0x${at.toString(16)}`,
          'the offset of an instruction',
          `0x${offset.toString(16)}`,
        );
      }
      const info = read(table, at, offset / INSTRUCTION_SIZE);
      if (info !== undefined) infos.push(info);
    }
    bySection.set(name, infos);
  }
  for (const infos of bySection.values()) infos.sort((a, b) => a.instruction - b.instruction);
  return bySection;
}
