/**
 * What of a run comes from maps: bytes of the frame that left, the returned action, what a redirect was told. What a map
 * holds is user space's to say; what the program does with everything else is its own, even where it runs only because a
 * map had an entry.
 *
 * A run is followed forwards. Where a helper's record does not say where its bytes come from, they are taken to come from
 * a map if anything that it was passed does.
 */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { ARGUMENT_TYPES, type ArgumentMemory } from '../../sim/ebpf/helpers/argument-types.ts';
import {
  accessSize,
  BPF_ALU,
  BPF_ALU64,
  BPF_END,
  BPF_LD,
  BPF_LDX,
  BPF_MOV,
  BPF_NEG,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  isAtomic,
  isConditionalJump,
  LDDW,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TracedCall, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { CONTEXT_BASE, STACK_BASE, STACK_SIZE } from '../../sim/ebpf/memory.ts';
import type { ByteRange } from '../../sim/packet/hexdump.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { COMPILERS } from './constant-values.ts';
import { BY_NAME, LOADS, STORES } from './frame-helpers.ts';
import { TracedInstructions } from './traced-instructions.ts';

/** Tells whether a map had an entry: a pointer that a lookup gave, or what `bpf_redirect_map` returned. */
const PRESENCE = 1n;
/** A number that a map holds, or that was made of one. */
const CONTENT = 2n;
/** With `CONTENT`: made of such numbers, and no longer one as it stands there. */
const COMPUTED = 4n;
/** The bits from here on name bytes of contents, one each, that the run found there and did not write itself. */
const FIRST_BYTE = 3;
/** How many bytes have names of their own; further ones share the last, as if each of them went where the others go. */
const MAX_BYTES = 2048;

const MAX_CALL_DEPTH = 8;
const STACK_END = STACK_BASE + STACK_SIZE * MAX_CALL_DEPTH;
/** No address: of a frame that a helper has moved, until the program looks where to. Addresses of the machine are below `FAR`. */
const SOMEWHERE = 2 ** 40;
const FAR = 2 ** 39;
/** Bytes that a helper may reach where its record leaves the size to others. */
const UNKNOWN_SIZE = 512;
/** Bytes stay where they are, whatever their offset is afterwards. */
const EDGES: ReadonlySet<string> = new Set([
  'bpf_xdp_adjust_head',
  'bpf_xdp_adjust_tail',
  'bpf_xdp_adjust_meta',
  'bpf_skb_pull_data',
]);
/** Helpers that write at an offset of the frame, their second argument: how much. */
const WRITERS: ReadonlyMap<string, (values: readonly bigint[]) => number> = new Map([
  ['bpf_skb_store_bytes', (values: readonly bigint[]) => Number(values[3])],
  ['bpf_xdp_store_bytes', (values: readonly bigint[]) => Number(values[3])],
  ['bpf_l3_csum_replace', () => 2],
  ['bpf_l4_csum_replace', () => 2],
]);
/** They put something into a map, which is the program's own then. */
const UPDATES: ReadonlySet<string> = new Set(['bpf_map_update_elem', 'bpf_map_push_elem']);
/** Where `struct bpf_fib_lookup` holds the address that is asked for. */
const FIB_DESTINATION: ByteRange = { from: 32, to: 48 };
/** Where a key of a trie holds the length of the prefix. */
const PREFIX_LENGTH: ByteRange = { from: 0, to: 4 };
/** Which argument holds the flags of redirects that refuse some. */
const REDIRECT_FLAGS: Readonly<Record<string, number>> = { bpf_redirect: 2, bpf_redirect_map: 3 };

interface Register {
  origin: bigint;
  /** Of each byte, as long as the register holds what was loaded and nothing was made of it. */
  bytes: readonly bigint[] | undefined;
  value: bigint;
  kind: string;
  place: string | undefined;
}

export class MapContents {
  readonly #instructions: TracedInstructions;
  /** Whether the world says what variables hold. */
  readonly #hasGlobals: boolean;
  readonly #registers: Register[] = Array.from({ length: BPF_REG_FP }, (_, index) => ({
    ...{
      origin: 0n,
      bytes: undefined,
      value: index === 1 ? BigInt(CONTEXT_BASE) : 0n,
      kind: index === 1 ? 'ctx' : '?',
    },
    place: undefined,
  }));
  /** r6 to r9 of the frames that wait. */
  readonly #saved: Pick<Register, 'origin' | 'bytes'>[][] = [];
  /** Bytes of stacks and of the frame that come from maps, by address. */
  readonly #memory = new Map<number, bigint>();
  /** The bits that name bytes of contents, by address. */
  readonly #names = new Map<number, bigint>();
  /** Bytes of maps that the run wrote, by address, and maps that a helper wrote to: what they hold is the program's own. */
  readonly #own = new Set<number>();
  readonly #updated = new Set<string>();
  /** Where the frame begins. */
  #data = SOMEWHERE;
  #isFrameTouched = false;
  #hasDecided = false;
  #isReadWhereTold = false;
  /** Of the lengths with which tries of prefixes were asked. */
  #prefixLengths = 0n;
  /** Of the types of tags that were pushed. */
  #tagTypes = 0n;
  #redirect = 0n;
  #redirectFlags = 0n;
  /** Of the address that the last route was asked for, or the next hop that the kernel was told; 0 where it takes the packet's. */
  #nextHop: bigint | undefined;

  /** @throws {ObjectError} where the program cannot be read */
  constructor(program: Program, { globals }: World, { steps }: Pick<RunTrace, 'steps'>) {
    this.#instructions = new TracedInstructions(program);
    this.#hasGlobals = Object.keys(globals ?? {}).length > 0;
    for (const [at, step] of steps.entries()) {
      this.#follow(step);
      this.#change(step);
      this.#enter(step, steps[at + 1] ?? step);
    }
  }

  /** Does a byte of the frame that left hold a number from a map? Offsets as `data` stood in the end. */
  isWritten(from: number, to: number): boolean {
    if (this.#isFrameTouched) return true;
    return (this.#read(this.#data + from, to - from) & CONTENT) !== 0n;
  }

  /** Does each byte of a field stand so in contents that the run found there? */
  isCopied({ from, to }: ByteRange): boolean {
    if (this.#isFrameTouched || from >= to) return false;
    return this.#bytes(this.#data + from, to - from).every(
      (origin) => (origin & COMPUTED) === 0n && named(origin) !== 0n,
    );
  }

  /** Are two fields copies of the very same contents, byte for byte? Then they are alike whatever a map holds. */
  areSame(one: ByteRange, other: ByteRange): boolean {
    if (!this.isCopied(one) || !this.isCopied(other)) return false;
    const origins = this.#bytes(this.#data + other.from, other.to - other.from);
    return this.#bytes(this.#data + one.from, one.to - one.from).every(
      (origin, at) => named(origin) === named(origins[at] ?? 0n),
    );
  }

  /**
   * Does a field depend on contents that reach no other byte of the frame, but for further fields of its kind? So does a checksum
   * to which a map's ready-made difference was added. An address that a map holds and that goes into the sum is in the frame, too.
   */
  isOnlyIn({ from, to }: ByteRange, fields: readonly ByteRange[], length: number): boolean {
    if (this.#isFrameTouched) return false;
    let elsewhere = 0n;
    for (let at = 0; at < length; at++) {
      const isField = [{ from, to }, ...fields].some((field) => at >= field.from && at < field.to);
      if (!isField) elsewhere |= named(this.#memory.get(this.#data + at) ?? 0n);
    }
    return (named(this.#read(this.#data + from, to - from)) & ~elsewhere) !== 0n;
  }

  /** Is what the program returned a number from a map, or does it tell what a map had an entry for? */
  isReturned(): boolean {
    return this.#registers[0]!.origin !== 0n;
  }

  /** Was the kernel asked for a route, or a next hop, by what no map holds: the packet's address? */
  isRoutedByPacket(): boolean {
    return this.#nextHop !== undefined && (this.#nextHop & CONTENT) === 0n;
  }

  /** Did the program decide by a number from a map, anywhere? */
  hasDecided(): boolean {
    return this.#hasDecided;
  }

  /** Did the program read the frame at a place that a number from a map says, as one does that follows rules of any kind? */
  isReadWhereTold(): boolean {
    return this.#isReadWhereTold;
  }

  /** Was a trie of prefixes asked with a length from a map? */
  arePrefixLengths(): boolean {
    return (this.#prefixLengths & CONTENT) !== 0n;
  }

  /** Was a tag pushed whose type a map says? */
  areTagTypes(): boolean {
    return (this.#tagTypes & CONTENT) !== 0n;
  }

  /** Was the last helper that redirects passed a number from a map? */
  isRedirected(): boolean {
    return (this.#redirect & CONTENT) !== 0n;
  }

  /** Were its flags? */
  areRedirectFlags(): boolean {
    return (this.#redirectFlags & CONTENT) !== 0n;
  }

  #follow(step: TraceStep): void {
    const { code, dst, src, offset } = this.#instructions.at(step);
    const kind = code & CLASS_MASK;
    if (step.call !== undefined) this.#call(step.call);
    if (code === CALL) return;
    if (isConditionalJump(code)) {
      const compared = this.#origin(dst) | ((code & SOURCE_MASK) === BPF_X ? this.#origin(src) : 0n);
      if ((compared & CONTENT) !== 0n) this.#hasDecided = true;
    } else if (kind === BPF_ALU || kind === BPF_ALU64) this.#compute(code, dst, src);
    else if (kind === BPF_LDX) this.#loadInto(dst, this.#load(step, src, offset, accessSize(code)));
    else if (kind === BPF_LD) this.#set(code === LDDW ? dst : 0, code === LDDW ? 0n : this.#frame());
    else if (kind === BPF_ST || kind === BPF_STX) this.#store(step, code, dst, src, offset);
  }

  #compute(code: number, dst: number, src: number): void {
    const operation = code & OPERATION_MASK;
    const isRegister = (code & SOURCE_MASK) === BPF_X && operation !== BPF_END && operation !== BPF_NEG;
    const operand = isRegister ? this.#origin(src) : 0n;
    if (operation !== BPF_MOV) this.#set(dst, computed(this.#origin(dst) | operand));
    else this.#set(dst, operand, isRegister ? this.#moved(code, src) : undefined);
  }

  #moved(code: number, src: number): readonly bigint[] | undefined {
    if (src === BPF_REG_FP) return undefined;
    const { bytes } = this.#registers[src]!;
    return (code & CLASS_MASK) === BPF_ALU ? bytes?.slice(0, 4) : bytes;
  }

  #loadInto(register: number, bytes: readonly bigint[]): void {
    this.#set(register, union(bytes), bytes);
  }

  #load({ frame }: TraceStep, src: number, offset: number, size: number): bigint[] {
    if (this.#leadsIntoMap(src)) return this.#contents(src, offset, size);
    const isInFrame = src !== BPF_REG_FP && this.#registers[src]!.kind === 'pkt';
    if (isInFrame && (this.#origin(src) & CONTENT) !== 0n) this.#isReadWhereTold = true;
    return this.#bytes(this.#address(src, frame) + offset, size);
  }

  #store({ memory, frame }: TraceStep, code: number, dst: number, src: number, offset: number): void {
    const stored = (code & CLASS_MASK) === BPF_ST ? 0n : this.#origin(src);
    const isInMap = this.#leadsIntoMap(dst);
    if (isInMap && memory !== undefined)
      for (const at of memory.bytes.keys()) this.#own.add(memory.address + at);
    if (isAtomic(code)) {
      const held = isInMap ? CONTENT : this.#read(this.#address(dst, frame) + offset, 8);
      // Which register an operation fetches into depends on it: both are taken.
      if (held !== 0n) for (const one of [0, src]) this.#set(one, computed(this.#origin(one) | held));
      if (memory !== undefined && !isInMap)
        this.#write(memory.address, memory.bytes.length, computed(held | stored));
    } else if (memory !== undefined && !isInMap) {
      const bytes = stored === 0n || src === BPF_REG_FP ? undefined : this.#registers[src]!.bytes;
      if (bytes === undefined) this.#write(memory.address, memory.bytes.length, stored);
      else this.#writeEach(memory.address, memory.bytes.length, bytes);
    }
  }

  #call({ name, arguments: values, result }: TracedCall): void {
    const helper = BY_NAME.get(name);
    const types = helper?.arguments ?? [];
    this.#askForRoute(name, values);
    let passed = 0n;
    const filled: [address: number, size: number][] = [];
    const map = types[0] === 'map' ? this.#instructions.map(this.#registers[1]!.place) : undefined;
    for (const [index, value] of values.entries()) {
      passed |= this.#origin(index + 1);
      const memory = ARGUMENT_TYPES[types[index] ?? 'anything'].memory;
      if (memory === undefined || value === 0n) continue;
      // A Bloom filter only reads what it is asked for.
      if (types[index] === 'value_peeked' && map?.type === 'BLOOM_FILTER') continue;
      const size = sizeOf(memory, values[index + 1], map);
      if (this.#leadsIntoMap(index + 1)) passed |= union(this.#contents(index + 1, 0, size));
      else if (memory.access !== 'written') passed |= this.#read(Number(value), size);
      if (memory.access !== 'read') filled.push([Number(value), size]);
    }
    if (name === 'bpf_skb_vlan_push') this.#tagTypes |= this.#origin(2);
    if (map?.type === 'LPM_TRIE' && values.length > 1)
      this.#prefixLengths |= this.#behind(2, values, PREFIX_LENGTH);
    if (map !== undefined && UPDATES.has(name)) this.#updated.add(map.name);
    const takesMap = types.includes('map');
    const packet = helper?.effects.packet ?? 'untouched';
    if (packet === 'read') passed |= this.#frame();
    if (helper?.effects.redirects === true) {
      const flags = REDIRECT_FLAGS[name];
      this.#redirect = passed;
      this.#redirectFlags = flags === undefined ? passed : this.#origin(flags);
    }
    if (LOADS.has(name) && (this.#origin(2) & CONTENT) !== 0n) this.#isReadWhereTold = true;
    const isCopy = LOADS.has(name) && this.#origin(2) === 0n;
    if (isCopy) this.#copy(Number(values[2]), this.#data + Number(values[1]), Number(values[3]));
    else
      for (const [address, size] of filled) this.#write(address, size, takesMap ? CONTENT : computed(passed));
    this.#set(0, takesMap ? PRESENCE : computed(passed));
    if (packet === 'written' || packet === 'moved') this.#changeFrame(name, values, result, passed);
  }

  #askForRoute(name: string, values: readonly bigint[]): void {
    if (name === 'bpf_fib_lookup') this.#nextHop = this.#behind(2, values, FIB_DESTINATION);
    // What a lookup gave tells no more than what it was asked for.
    else if (name === 'bpf_redirect_neigh')
      this.#nextHop ??= values[1] === 0n ? 0n : this.#behind(2, values, { from: 0, to: Number(values[2]) });
  }

  /** What bytes come from that an argument leads to. */
  #behind(register: number, values: readonly bigint[], { from, to }: ByteRange): bigint {
    if (this.#leadsIntoMap(register)) return union(this.#contents(register, from, to - from));
    return this.#read(Number(values[register - 1]) + from, to - from);
  }

  #changeFrame(name: string, values: readonly bigint[], result: bigint | undefined, passed: bigint): void {
    if (EDGES.has(name)) {
      if (name === 'bpf_xdp_adjust_head' && result === 0n)
        this.#data += Number(BigInt.asIntN(32, values[1]!));
      return;
    }
    const size = WRITERS.get(name)?.(values);
    if (size !== undefined) {
      const at = this.#data + Number(values[1]!);
      const isCopy = STORES.has(name) && this.#origin(2) === 0n;
      if (isCopy && this.#leadsIntoMap(3)) this.#writeEach(at, size, this.#contents(3, 0, size));
      else if (isCopy) this.#copy(at, Number(values[2]!), size);
      // What a checksum is changed by is added to what it was.
      else this.#write(at, size, computed(passed | (STORES.has(name) ? 0n : this.#read(at, size))));
      return;
    }
    if ((this.#frame() | passed) !== 0n) this.#isFrameTouched = true;
    // Wherever it lies now: offsets count from there.
    this.#data = SOMEWHERE;
  }

  /** Where the frame lies is known again. */
  #settle(data: number): void {
    if (this.#data >= FAR) {
      for (const [at, origin] of [...this.#memory]) {
        if (at < FAR) continue;
        this.#memory.delete(at);
        this.#memory.set(at - this.#data + data, origin);
      }
    }
    this.#data = data;
  }

  /** Takes over what registers hold after a step. */
  #change({ registers }: TraceStep): void {
    for (const { register, value, kind, place } of registers) {
      Object.assign(this.#registers[register]!, { value, kind, place });
      const match = place === undefined ? null : /^data(?:([+-]\d+))?$/.exec(place);
      if (match !== null && kind === 'pkt') this.#settle(Number(value) - Number(match[1] ?? 0));
    }
  }

  /** Calls of the program's own functions keep r6 to r9. */
  #enter({ frame }: TraceStep, next: TraceStep): void {
    if (next.frame > frame)
      this.#saved.push(this.#registers.slice(6).map(({ origin, bytes }) => ({ origin, bytes })));
    for (let left = frame; left > next.frame; left--) {
      for (const [index, saved] of (this.#saved.pop() ?? []).entries())
        this.#set(6 + index, saved.origin, saved.bytes);
    }
  }

  /** Pointers into maps, and into variables that somebody set. */
  #leadsIntoMap(register: number): boolean {
    if (register === BPF_REG_FP) return false;
    const { kind, place } = this.#registers[register]!;
    if (!kind.startsWith('map_value')) return false;
    if (place?.startsWith('.') !== true) return true;
    return this.#hasGlobals && !COMPILERS.test(place);
  }

  #address(register: number, frame: number): number {
    if (register === BPF_REG_FP) return STACK_BASE + STACK_SIZE * (frame + 1);
    return Number(BigInt.asIntN(32, this.#registers[register]!.value));
  }

  /** What bytes come from that lie in a map, or in a variable that somebody set. */
  #contents(register: number, offset: number, size: number): bigint[] {
    const { place = '' } = this.#registers[register]!;
    const address = this.#address(register, 0) + offset;
    return Array.from({ length: size }, (_, at) =>
      this.#isFound(place, offset + at, address + at) ? CONTENT | this.#name(address + at) : CONTENT,
    );
  }

  /** Is a byte of contents user space's, as the run found it: neither written by the run nor a constant of the program's own? */
  #isFound(place: string, offset: number, address: number): boolean {
    const name = place.replace(/(\[\d+\])?[+-]\d+$/, '');
    if (this.#own.has(address) || this.#updated.has(name)) return false;
    if (!name.startsWith('.')) return true;
    return this.#instructions.isOpen(name, Number(/[+-]\d+$/.exec(place)?.[0] ?? 0) + offset);
  }

  #name(address: number): bigint {
    const known = this.#names.get(address);
    if (known !== undefined) return known;
    const name = 1n << BigInt(FIRST_BYTE + Math.min(this.#names.size, MAX_BYTES));
    this.#names.set(address, name);
    return name;
  }

  #origin(register: number): bigint {
    return register === BPF_REG_FP ? 0n : this.#registers[register]!.origin;
  }

  #set(register: number, origin: bigint, bytes?: readonly bigint[]): void {
    Object.assign(this.#registers[register]!, { origin, bytes });
  }

  #bytes(address: number, size: number): bigint[] {
    return Array.from({ length: size }, (_, index) => this.#memory.get(address + index) ?? 0n);
  }

  #read(address: number, size: number): bigint {
    return union(this.#bytes(address, size));
  }

  #write(address: number, size: number, origin: bigint): void {
    for (let at = address; at < address + size; at++) {
      if (origin === 0n) this.#memory.delete(at);
      else this.#memory.set(at, origin);
    }
  }

  #writeEach(address: number, size: number, origins: readonly bigint[]): void {
    for (let index = 0; index < size; index++) this.#write(address + index, 1, origins[index] ?? 0n);
  }

  #copy(to: number, from: number, size: number): void {
    this.#writeEach(to, size, this.#bytes(from, size));
  }

  /** Of all bytes of the frame. */
  #frame(): bigint {
    let origin = this.#isFrameTouched ? CONTENT : 0n;
    for (const [at, one] of this.#memory) if (at < STACK_BASE || at >= STACK_END) origin |= one;
    return origin;
  }
}

function union(origins: readonly bigint[]): bigint {
  return origins.reduce((all, one) => all | one, 0n);
}

/** Of a number that something was made of. */
function computed(origin: bigint): bigint {
  return (origin & CONTENT) === 0n ? origin : origin | COMPUTED;
}

/** The names of the bytes that a number comes from. */
function named(origin: bigint): bigint {
  return origin >> BigInt(FIRST_BYTE);
}

function sizeOf({ size }: ArgumentMemory, next: bigint | undefined, map: BpfMap | undefined): number {
  if (typeof size === 'number') return size;
  if (size === 'map value' && map !== undefined) return map.valueSize;
  if (size === 'map key' && map !== undefined) return map.keySize;
  return size === 'next argument' && next !== undefined ? Math.min(Number(next), 0xffff) : UNKNOWN_SIZE;
}
