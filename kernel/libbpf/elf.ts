/**
 * A look at an object before libbpf gets it. libbpf trusts the file more than it should, and what it says about
 * a bad one names neither offset nor expectation.
 */
import { EngineError } from '../../sim/engines/engine.ts';

/** Elf64_Ehdr and Elf64_Shdr, offsets in bytes (elf(5)). */
const HEADER = { class: 4, data: 5, machine: 18, shoff: 40, shentsize: 58, shnum: 60, size: 64 } as const;
const SECTION = { type: 4, offset: 24, length: 32, size: 64 } as const;

const EM_BPF = 247;
const SHT_NOBITS = 8;

/**
 * @param file how messages call the object
 * @throws {EngineError} `input`: file, offset, what was expected and what was there
 */
export function requireBpfElf(bytes: Uint8Array, file: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const refuse = (offset: number, expected: string, found: string): never => {
    throw new EngineError('input', `${file}: at offset ${offset}: expected ${expected}, found ${found}`, {
      remedy: 'give an object that clang -target bpf made',
    });
  };
  if (bytes.length < 4 || view.getUint32(0) !== 0x7f45_4c46) refuse(0, 'an ELF file', describeStart(bytes));
  if (bytes.length < HEADER.size) refuse(bytes.length, '64 bytes of ELF header', 'the end of the file');
  if (bytes[HEADER.class] !== 2) refuse(HEADER.class, 'a 64-bit ELF file', `class ${bytes[HEADER.class]}`);
  if (bytes[HEADER.data] !== 1) refuse(HEADER.data, 'a little-endian object', 'another byte order');
  const machine = view.getUint16(HEADER.machine, true);
  if (machine !== EM_BPF) refuse(HEADER.machine, `machine ${EM_BPF} (BPF)`, `machine ${machine}`);

  const table = Number(view.getBigUint64(HEADER.shoff, true));
  const count = view.getUint16(HEADER.shnum, true);
  const rowSize = view.getUint16(HEADER.shentsize, true);
  if (count === 0 || rowSize !== SECTION.size) refuse(HEADER.shentsize, 'a section table', 'none');
  if (table + count * SECTION.size > bytes.length) {
    refuse(bytes.length, `a section table of ${count} rows at offset ${table}`, 'the end of the file');
  }
  for (let row = 0; row < count; row++) {
    const at = table + row * SECTION.size;
    if (view.getUint32(at + SECTION.type, true) === SHT_NOBITS) continue;
    const offset = Number(view.getBigUint64(at + SECTION.offset, true));
    const length = Number(view.getBigUint64(at + SECTION.length, true));
    if (offset + length > bytes.length) {
      refuse(bytes.length, `section ${row}, ${length} bytes at offset ${offset}`, 'the end of the file');
    }
  }
}

function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
