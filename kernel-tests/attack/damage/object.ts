/** Changes compiled objects where their tables have joints: instructions, symbols, relocations, types, line numbers. */
import type { Random } from '../../../corpus/generate/random.ts';
import { INTERESTING } from './bytes.ts';
import { type Damage, pick } from './damage.ts';

/** A table within the file: so many bytes for each of its entries. */
interface Table {
  readonly name: string;
  readonly at: number;
  readonly size: number;
  readonly entry: number;
}

const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_REL = 9;
const SHF_EXECINSTR = 4;

/** The seeds are little-endian 64-bit ELF files without faults (elf(5)). */
function tablesOf(object: Uint8Array): Table[] {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const headers = Number(view.getBigUint64(0x28, true));
  const count = view.getUint16(0x3c, true);
  const header = (index: number) => {
    const at = headers + index * 64;
    return {
      name: view.getUint32(at, true),
      type: view.getUint32(at + 4, true),
      flags: Number(view.getBigUint64(at + 8, true)),
      at: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
    };
  };
  const names = header(view.getUint16(0x3e, true)).at;
  const nameAt = (offset: number): string => {
    const end = object.indexOf(0, names + offset);
    return new TextDecoder().decode(object.subarray(names + offset, end));
  };
  const tables: Table[] = [{ name: 'sections', at: headers, size: count * 64, entry: 8 }];
  for (let index = 1; index < count; index++) {
    const { name, type, flags, at, size } = header(index);
    const isCode = type === SHT_PROGBITS && (flags & SHF_EXECINSTR) !== 0;
    const entry = isCode ? 8 : type === SHT_SYMTAB ? 24 : type === SHT_REL ? 16 : 4;
    if (size >= entry && type !== 8) tables.push({ name: isCode ? 'code' : nameAt(name), at, size, entry });
  }
  return tables;
}

/** One to four changes of entries in tables that `isMeant` names; `code` stands for all that is executed. */
export function damageTables(isMeant: (name: string) => boolean): Damage {
  return (random, input) => {
    const object = input.slice();
    const tables = tablesOf(object).filter(({ name }) => isMeant(name));
    if (tables.length === 0) return object;
    const changes = 1 + random.below(4);
    for (let change = 0; change < changes; change++) changeEntry(random, object, pick(random, tables));
    return object;
  };
}

function changeEntry(random: Random, object: Uint8Array, { at, size, entry }: Table): void {
  const count = Math.floor(size / entry);
  const place = (): number => at + ((random.bits() >>> 0) % count) * entry;
  const here = place();
  const view = new DataView(object.buffer, object.byteOffset + here, entry);
  const field = random.below(entry);
  switch (random.below(7)) {
    case 0:
      object[here + field]! ^= 1 << random.below(8);
      return;
    case 1:
      object[here + field] = pick(random, INTERESTING);
      return;
    case 2: {
      // A number of four bytes, a little more or less: offsets, indices, immediates.
      const word = field & ~3;
      view.setUint32(word, view.getUint32(word, true) + random.below(17) - 8, true);
      return;
    }
    case 3:
      view.setUint32(field & ~3, pick(random, [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]), true);
      return;
    case 4: {
      const there = place();
      const entryThere = object.slice(there, there + entry);
      object.copyWithin(there, here, here + entry);
      object.set(entryThere, here);
      return;
    }
    case 5: {
      const from = place();
      object.copyWithin(here, from, from + entry);
      return;
    }
    default:
      if (entry >= 4) view.setUint16(field & ~1, random.below(0x10000), true);
  }
}
