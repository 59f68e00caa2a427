/** What is in maps, in the terms of the C source: `flows[ip.src].packets`, `enabled`. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import type { Btf } from '../../sim/ebpf/btf.ts';
import { fieldAt, fieldsOf, type TypeField } from '../../sim/ebpf/btf-field.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term } from '../../sim/ebpf/symbolic/term.ts';
import { SEQUENCES } from '../../sim/runtime/maps.ts';

/** A part of an entry's value, or of a variable. */
export interface EntryField {
  readonly name: string;
  /** Bytes from the begin of the value, or of the data section. */
  readonly offset: number;
  readonly size: number;
  readonly isBytes: boolean;
}

/** Which byte of which entry an unknown stands for. */
export interface EntryByte {
  readonly map: number;
  readonly ordinal: number;
  readonly offset: number;
}

/** Names bytes that are given in the order of memory. */
export interface ByteNames {
  /** Of a number of the machine's. */
  readonly number: (bytes: readonly Term[]) => string;
  /** Of what is compared byte by byte. */
  readonly address: (bytes: readonly Term[]) => string;
}

/** A longer key is called by its number. */
const LONGEST_KEY = 80;

const BYTE = /^map(\d+)\.(\d+)\.(\d+)$/;

export class EntryWords {
  readonly #inputs: Inputs;
  readonly #state: PathState;
  readonly #name: ByteNames;
  readonly #keys = new Map<string, string>();
  readonly #fields = new Map<string, EntryField | undefined>();

  constructor(inputs: Inputs, state: PathState, name: ByteNames) {
    this.#inputs = inputs;
    this.#state = state;
    this.#name = name;
  }

  /** @returns undefined of what is no byte of an entry */
  byteOf(term: Term): EntryByte | undefined {
    if (term.operation !== 'var') return undefined;
    const global = this.#inputs.globalAt(term);
    if (global !== undefined) return { map: global.map, ordinal: 0, offset: global.at };
    const found = BYTE.exec(term.name);
    const map = found === null ? undefined : this.#inputs.mapOf(Number(found[1]));
    return map === undefined ? undefined : { map, ordinal: Number(found![2]), offset: Number(found![3]) };
  }

  /** A byte of the same entry, or section. */
  byteAt({ map, ordinal }: EntryByte, offset: number): Term {
    if (this.#mapAt(map).global !== undefined) return this.#inputs.globalByte(map, offset);
    return this.#inputs.pool.unknown(8, `${this.#inputs.entryName(map, ordinal)}.${offset}`);
  }

  mapName(map: number): string {
    return this.#inputs.machine.maps[map]!.name;
  }

  /** That an entry is there, or is not. */
  there(map: number, ordinal: number, isThere: boolean): string {
    const { type } = this.#mapAt(map);
    const name = this.mapName(map);
    if (!SEQUENCES.has(type)) return `${this.key(map, ordinal)} is ${isThere ? '' : 'not '}in map ${name}`;
    const elements = ordinal === 0 ? '1 element' : `${ordinal + 1} elements`;
    return `${type.toLowerCase()} ${name} has ${isThere ? 'at least' : 'fewer than'} ${elements}`;
  }

  /** A key: what it is made of, or the how manieth the program asks that map for. */
  key(map: number, ordinal: number): string {
    const id = `${map}.${ordinal}`;
    const known = this.#keys.get(id);
    if (known !== undefined) return known;
    const { type } = this.#mapAt(map);
    const numbered = `${SEQUENCES.has(type) ? 'element' : 'key'} ${ordinal + 1}`;
    // Should a key be made of the entry's own value, it is called by its number in there.
    this.#keys.set(id, numbered);
    const asked = this.#state.entries.filter((one) => one.map === map)[ordinal];
    const text = asked === undefined ? numbered : this.#keyText(this.#mapAt(map), asked.key);
    const isClear = text !== '' && text.length <= LONGEST_KEY && !text.includes('computed(');
    const said = isClear ? text : numbered;
    this.#keys.set(id, said);
    return said;
  }

  /** The field that a byte of a value belongs to; without types, none is known. */
  field(byte: EntryByte): EntryField | undefined {
    const id = `${byte.map}.${byte.ordinal}.${byte.offset}`;
    if (!this.#fields.has(id)) this.#fields.set(id, this.#fieldAt(byte));
    return this.#fields.get(id);
  }

  /** The value itself: what bytes without a field are counted from. */
  value({ map, ordinal }: EntryByte): string {
    const isGlobal = this.#mapAt(map).global !== undefined;
    return isGlobal ? this.mapName(map) : `${this.mapName(map)}[${this.key(map, ordinal)}]`;
  }

  #fieldAt(byte: EntryByte): EntryField | undefined {
    const { global, valueType } = this.#mapAt(byte.map);
    if (global !== undefined) {
      for (const [name, { offset, size, typeId }] of global.variables) {
        if (byte.offset < offset || byte.offset >= offset + size) continue;
        const whole = { path: '', offset: 0, size, isBytes: false };
        return placed(name, offset, this.#typed(typeId, byte.offset - offset) ?? whole);
      }
      return undefined;
    }
    const field = this.#typed(valueType, byte.offset);
    return field === undefined ? undefined : placed(this.value(byte), 0, field);
  }

  #typed(type: number | undefined, offset: number): TypeField | undefined {
    const { btf } = this;
    return btf === undefined || type === undefined || type === 0 ? undefined : fieldAt(btf, type, offset);
  }

  #keyText({ type, keyType }: BpfMap, key: readonly Term[]): string {
    if (type === 'LPM_TRIE') return this.#prefixText(key.slice(0, 4), key.slice(4));
    const { btf } = this;
    const fields =
      btf === undefined || keyType === undefined || keyType === 0 ? undefined : fieldsOf(btf, keyType);
    if (fields === undefined) return this.#name.number(key);
    return fields.map(({ offset, size }) => this.#name.number(key.slice(offset, offset + size))).join(', ');
  }

  /** An address with the bits that count: `ip.src/24`. Zeros behind them are left out. */
  #prefixText(length: readonly Term[], address: readonly Term[]): string {
    const bits = length.every(isConst)
      ? length.reduce((sum, { value }, at) => sum + Number(value) * 2 ** (8 * at), 0)
      : 8 * address.length;
    const covered = [...address];
    const isConstant = address.every(isConst);
    while (!isConstant && covered.length > Math.ceil(bits / 8) && isZero(covered.at(-1)!)) covered.pop();
    const text = this.#name.address(covered);
    return `${text.includes(' ‖ ') ? `(${text})` : text}/${this.#name.number(length)}`;
  }

  #mapAt(map: number): BpfMap {
    return this.#inputs.machine.maps[map]!.source;
  }

  private get btf(): Btf | undefined {
    return this.#inputs.machine.object.btf;
  }
}

function isZero(byte: Term): boolean {
  return isConst(byte) && byte.value === 0n;
}

function placed(name: string, at: number, { path, offset, size, isBytes }: TypeField): EntryField {
  return { name: `${name}${path}`, offset: at + offset, size, isBytes };
}
