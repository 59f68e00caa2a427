/**
 * Global variables of an object, set by name between opening and loading it. libbpf knows those alone that the object's type
 * information names; where it has none (`clang` without `-g`), the symbols say where they are, as to the machine.
 */
import { symbolVariables, type VariablePlace } from '../../sim/ebpf/loader/data-sections.ts';
import { readElf } from '../../sim/ebpf/loader/elf.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { BTF_TYPE, BTF_VAR_SECINFO } from './layouts.ts';
import { bytesAt, type Pointer, requireLibbpf } from './libbpf.ts';

const BTF_KIND_DATASEC = 15;

/** A section's bytes while the object is open and not yet loaded: writes go into the object. */
export type SectionBytes = (
  section: string,
) => { readonly address: Pointer; readonly size: number } | undefined;

/** The object whose variables are set. */
export interface OpenedObject {
  /** Its type information (0: none). */
  readonly btf: Pointer;
  readonly elf: Uint8Array;
  /** How messages call it. */
  readonly file: string;
}

/** @throws {EngineError} `input`, for a name that the object lacks and for a value of another size */
export function setGlobals(
  { btf, elf, file }: OpenedObject,
  sectionBytes: SectionBytes,
  globals: Readonly<Record<string, Uint8Array>>,
): void {
  const names = Object.keys(globals);
  if (names.length === 0) return;
  const { koffi } = requireLibbpf();
  const variables = new Map([...symbolVariables(readElf(elf)), ...(btf === 0 ? [] : variablesOf(btf))]);
  for (const name of names) {
    const value = globals[name]!;
    const variable = variables.get(name);
    const bytes = variable === undefined ? undefined : sectionBytes(variable.section);
    if (variable === undefined || bytes === undefined) {
      const known =
        variables.size === 0 ? 'it has none' : `it has ${[...variables.keys()].sort().join(', ')}`;
      throw new EngineError('input', `${file} has no global ${name}: ${known}`);
    }
    if (value.length !== variable.size || variable.offset + variable.size > bytes.size) {
      throw new EngineError(
        'input',
        `${file}: the global ${name} takes ${variable.size} bytes, ${value.length} were given`,
      );
    }
    const target = new Uint8Array(koffi.view(BigInt(bytes.address), bytes.size));
    target.set(value, variable.offset);
  }
}

/** The variables of all `.rodata`, `.data` and `.bss` sections, by name, from the BTF's DATASEC rows. */
function variablesOf(btf: Pointer): Map<string, VariablePlace> {
  const { bpf } = requireLibbpf();
  const variables = new Map<string, VariablePlace>();
  const nameOf = (type: Uint8Array): string => bpf.btf__name_by_offset(btf, u32(type, BTF_TYPE.name_off));
  for (let id = 1; id < bpf.btf__type_cnt(btf); id++) {
    const address = bpf.btf__type_by_id(btf, id);
    const type = bytesAt(address, BTF_TYPE.size);
    const info = u32(type, BTF_TYPE.info);
    if (((info >>> 24) & 0x1f) !== BTF_KIND_DATASEC) continue;
    const section = nameOf(type);
    if (!/^\.(rodata|data|bss)(\.|$)/.test(section)) continue;
    const rows = bytesAt(address + BTF_TYPE.size, (info & 0xffff) * BTF_VAR_SECINFO.size);
    for (let row = 0; row < rows.length; row += BTF_VAR_SECINFO.size) {
      const variable = bytesAt(
        bpf.btf__type_by_id(btf, u32(rows, row + BTF_VAR_SECINFO.type)),
        BTF_TYPE.size,
      );
      variables.set(nameOf(variable), {
        section,
        offset: u32(rows, row + BTF_VAR_SECINFO.offset),
        size: u32(rows, row + BTF_VAR_SECINFO.size_of_variable),
      });
    }
  }
  return variables;
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}
