/** Where the bytes in memory come from: of the packet, of map values, of what the program has stored. */
import { indexKey } from '../../runtime/map-snapshot.ts';
import type { Machine } from '../machine.ts';
import { HEAP_BASE, PACKET_BASE, PACKET_LIMIT } from '../memory.ts';
import { unwrittenByte } from '../stack-fill.ts';
import { byteOf, bytes, input, type Operand } from './expression.ts';
import type { InputField } from './inputs.ts';

/** A map's value that the program got a pointer to. */
interface ValueArea {
  readonly map: number;
  readonly key: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** What a queue or stack holds. */
export interface QueuedElement {
  readonly parts: readonly Operand[];
  /** Of what the world has put there: which one it is, in the order in which they come out. Absent: the program's own. */
  readonly position?: number;
}

export class FlowMemory {
  readonly #machine: Machine;
  /** Of queues and stacks, by map: the oldest first. */
  readonly #queues = new Map<number, QueuedElement[]>();
  readonly #forgetsMaps: boolean;
  /** What was stored, byte by byte; a number by itself depends on no input. */
  readonly #stored = new Map<number, Operand>();
  readonly #areas = new Map<number, ValueArea>();
  #lastArea: ValueArea | undefined;
  readonly #fields = new Map<string, InputField>();
  /** Random numbers that were drawn. */
  draws = 0;
  /** Global variables that the program has written, by name. */
  readonly changedGlobals = new Set<string>();
  /** The packet at hand: its number, where it lay when it came, and the address of its first byte of metadata. */
  #packet = 0;
  #data = 0;
  #first = 0;
  #end = 0;

  /** @param forgetsMaps is what a packet finds in maps an input, even where a packet before it stored that? */
  constructor(machine: Machine, forgetsMaps: boolean = false) {
    this.#machine = machine;
    this.#forgetsMaps = forgetsMaps;
    for (const [map, { source, firstValue }] of machine.maps.entries()) {
      if (source.global === undefined) continue;
      this.addArea(map, new Uint8Array(4), firstValue, source.valueSize);
    }
  }

  /** A packet is in place. */
  enterPacket(packet: number): void {
    for (const address of this.#stored.keys())
      if (address < PACKET_LIMIT || this.#forgetsMaps) this.#stored.delete(address);
    const { dataMeta, data, frameEnd } = this.#machine.packet;
    this.#packet = packet;
    this.#first = dataMeta;
    this.#data = data;
    this.#end = frameEnd;
  }

  get initialMetadata(): number {
    return this.#data - this.#first;
  }

  get initialLength(): number {
    return this.#end - this.#data;
  }

  addArea(map: number, key: Uint8Array, start: number, size: number): void {
    if (!this.#areas.has(start)) this.#areas.set(start, { map, key, start, end: start + size });
  }

  /** The elements of a queue or stack, the oldest first, to be changed as the program does: nobody else can look at them. */
  queue(map: number): QueuedElement[] {
    const known = this.#queues.get(map);
    if (known !== undefined) return known;
    const { name, type } = this.#machine.object.maps[map]!;
    const entries = this.#machine.world.maps?.[name] ?? [];
    const elements = entries.map(({ value }, index): QueuedElement => {
      const position = type === 'STACK' ? entries.length - 1 - index : index;
      const key = indexKey(position);
      const parts = Array.from(value, (byte, offset) =>
        input(this.#mapField(map, key, offset), BigInt(byte)),
      );
      return { parts, position };
    });
    this.#queues.set(map, elements);
    return elements;
  }

  /** How many elements the world has put into a queue or stack. */
  queuedByWorld(map: number): number {
    const { name } = this.#machine.object.maps[map]!;
    return this.#machine.world.maps?.[name]?.length ?? 0;
  }

  #mapField(map: number, key: Uint8Array, offset: number): InputField {
    return this.field(`map ${map} ${key.join()} ${offset}`, () => ({ kind: 'map', map, key, offset }));
  }

  /** The map whose value lies at an address; -1: none that is known. */
  mapAt(address: number): number {
    return this.#areaAt(address)?.map ?? -1;
  }

  /** One field for each input, however often it is asked for. */
  field<T extends InputField>(name: string, make: () => T): T {
    const known = this.#fields.get(name);
    if (known !== undefined) return known as T;
    const field = make();
    this.#fields.set(name, field);
    return field;
  }

  /** What is at an address: bytes as the machine holds them now, with their origin. */
  load(address: number, size: number): Operand {
    const parts: Operand[] = [];
    for (let at = address; at < address + size; at++) parts.push(this.#byte(at));
    return bytes(parts);
  }

  /** Has the program stored something at the address? */
  isStored(address: number): boolean {
    return this.#stored.has(address);
  }

  /** In network order, as LD_ABS loads. */
  loadBigEndian(address: number, size: number): Operand {
    const parts: Operand[] = [];
    for (let at = address + size - 1; at >= address; at--) parts.push(this.#byte(at));
    return bytes(parts);
  }

  parts(address: number, size: number): Operand[] {
    return Array.from({ length: size }, (_, index) => this.#byte(address + index));
  }

  store(address: number, size: number, value: Operand): void {
    this.#noteChange(address, size);
    for (let index = 0; index < size; index++) this.#stored.set(address + index, byteOf(value, index));
  }

  storeParts(address: number, parts: readonly Operand[]): void {
    this.#noteChange(address, parts.length);
    for (const [index, part] of parts.entries()) this.#stored.set(address + index, part);
  }

  /** A byte of the stack is read that the program never wrote: an input of its own. */
  readUnwritten(address: number): void {
    const field = this.field(`stack ${address}`, () => ({ kind: 'stack', address }) as const);
    this.#stored.set(address, input(field, BigInt(unwrittenByte(this.#machine.world, address))));
  }

  /** Somebody wrote what comes from no input: the bytes are what the machine holds. */
  forget(address: number, size: number): void {
    this.#noteChange(address, size);
    for (let at = address; at < address + size; at++)
      this.#stored.set(at, BigInt(this.#machine.memory.u8[at]!));
  }

  /** The packet's bytes where they came to lie, after a helper that moved them; `before` is as it was. */
  movePacket(before: readonly Operand[]): void {
    const { u8 } = this.#machine.memory;
    const { data, frameEnd } = this.#machine.packet;
    const length = frameEnd - data;
    const parts: Operand[] = [];
    for (let at = 0; at < length; at++) {
      const value = BigInt(u8[data + at]!);
      const fromEnd = before[before.length - length + at];
      const fromStart = before[at];
      const same = (one: Operand | undefined): one is Operand =>
        one !== undefined && (typeof one === 'bigint' ? one : one.value) === value;
      if (same(fromEnd)) parts.push(fromEnd);
      else if (same(fromStart)) parts.push(fromStart);
      else parts.push(value);
    }
    this.storeParts(data, parts);
  }

  #noteChange(address: number, size: number): void {
    if (address < HEAP_BASE) return;
    const area = this.#areaAt(address);
    const global = area === undefined ? undefined : this.#machine.object.maps[area.map]?.global;
    if (area === undefined || global === undefined) return;
    const from = address - area.start;
    for (const [name, { offset, size: length }] of global.variables)
      if (from < offset + length && offset < from + size) this.changedGlobals.add(name);
  }

  #byte(address: number): Operand {
    const stored = this.#stored.get(address);
    if (stored !== undefined) return stored;
    const value = BigInt(this.#machine.memory.u8[address] ?? 0);
    if (address >= PACKET_BASE && address < PACKET_LIMIT) {
      if (address < this.#first || address >= this.#end) return value;
      const packet = this.#packet;
      const offset = address - this.#data;
      return input(
        this.field(`packet ${packet} ${offset}`, () => ({ kind: 'packet', packet, offset })),
        value,
      );
    }
    if (address < HEAP_BASE) return value;
    const area = this.#areaAt(address);
    if (area === undefined) return value;
    const { map, key } = area;
    const offset = address - area.start;
    return input(this.#mapField(map, key, offset), value);
  }

  #areaAt(address: number): ValueArea | undefined {
    const last = this.#lastArea;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    for (const area of this.#areas.values()) {
      if (address < area.start || address >= area.end) continue;
      this.#lastArea = area;
      return area;
    }
    return undefined;
  }
}
