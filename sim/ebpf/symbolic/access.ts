/** Loads and stores on a path: where an address leads, whether the program may go there, and what lies there. */
import { STACK_BASE, STACK_SIZE } from '../memory.ts';
import { candidates } from './candidates.ts';
import { loadContext, storeContext } from './context-fields.ts';
import { type Inputs, packetUnknown } from './inputs.ts';
import { settlePlaces, settlePlacesIn } from './open-places.ts';
import { type Block, NotFollowed, type PathState, PathViolation } from './path-state.ts';
import type { Value } from './path-value.ts';
import { forgetSame } from './per-cpu-values.ts';
import { isConst, type Term } from './term.ts';

/** Where blocks lie, for comparisons: far from everything else, and far from each other. */
const BLOCK_BASE = 1n << 40n;
const BLOCK_SPACE = 32n;

/** Up to how many places of a table are told apart in one term. */
const MOST_CHOICES = 256n;

export function blockAddress(block: number): bigint {
  return BLOCK_BASE + (BigInt(block) << BLOCK_SPACE);
}

/** A pointer to the first byte of a block. */
export function blockPointer(state: PathState, block: number): Value {
  return { term: state.pool.constant(64, blockAddress(block)), region: { kind: 'block', block } };
}

/**
 * Loads `size` bytes at a pointer and an offset, the lowest first.
 * @returns a pointer, where one was stored there whole
 */
export function load(
  inputs: Inputs,
  state: PathState,
  pointer: Value,
  offset: number,
  size: number,
): Term | Value {
  const { pool } = state;
  const { region } = pointer;
  const address = pool.addConst(pointer.term, offset);
  switch (region?.kind) {
    case 'context':
      return loadContext(inputs, state, offset, size);
    case 'stack': {
      const at = stackPlace(state, region.frame, address, size);
      const memory = state.stacks[region.frame]!;
      const whole = size === 8 ? memory.pointer(at) : undefined;
      return whole ?? joined(state, size, (index) => stackByte(inputs, state, region.frame, at + index));
    }
    case 'packet': {
      const at = packetPlace(state, region.generation, address, size);
      return joined(state, size, (index) => packetByte(inputs, state, at + index));
    }
    case 'block': {
      const block = blockAt(state, region.block);
      const place = pool.addConst(address, -blockAddress(region.block));
      const { min, max } = state.knowledge.range(place);
      if (min !== max && max < BigInt(block.size) && max - min < MOST_CHOICES) {
        return choice(inputs, state, region.block, place, size, min, max);
      }
      const at = blockPlace(state, region.block, place, size);
      const whole = size === 8 ? block.memory.pointer(at) : undefined;
      return whole ?? joined(state, size, (index) => blockByte(inputs, state, region.block, at + index));
    }
    case 'opaque':
      state.assume('sockets and structures of the kernel do not change while the program runs');
      return joined(state, size, (index) =>
        pool.unknown(8, `${region.what}.${region.from + offset + index}`),
      );
    default:
      throw new PathViolation(`a load through what is no pointer to memory (${region?.kind ?? 'a number'})`);
  }
}

/** A table with an index: one term for all places. */
function choice(
  inputs: Inputs,
  state: PathState,
  block: number,
  place: Term,
  size: number,
  min: bigint,
  max: bigint,
): Term {
  const { pool } = state;
  const at = (from: bigint): Term =>
    joined(state, size, (index) => blockByte(inputs, state, block, Number(from) + index));
  const last =
    max + BigInt(size) <= BigInt(state.blocks[block]!.size) ? max : BigInt(state.blocks[block]!.size - size);
  let result = at(last);
  for (let from = last - 1n; from >= min; from--) {
    const here = pool.equal(place, pool.constant(64, from));
    if (here !== pool.false) result = pool.ite(here, at(from), result);
  }
  return result;
}

/** Stores a term of `size` bytes, or a pointer. */
export function store(state: PathState, pointer: Value, offset: number, size: number, value: Value): void {
  const { pool } = state;
  const { region } = pointer;
  const address = pool.addConst(pointer.term, offset);
  const bytes = pool.extract(value.term, 0, size * 8);
  switch (region?.kind) {
    case 'context':
      storeContext(state, offset, size, bytes);
      return;
    case 'stack': {
      const at = stackPlace(state, region.frame, address, size);
      const memory = state.stacks[region.frame]!;
      if (value.region !== undefined && size === 8) memory.setPointer(at, value);
      else memory.store(pool, at, bytes);
      return;
    }
    case 'packet': {
      settlePlaces(state);
      if (value.region !== undefined) state.leaks = true;
      if (storeInMetadata(state, region.generation, address, bytes)) return;
      const at = packetPlace(state, region.generation, address, size);
      state.packet.bytes.store(pool, at, bytes);
      return;
    }
    case 'block': {
      const block = blockAt(state, region.block);
      if (!block.writable) throw new PathViolation('a store into read-only memory');
      if (block.mayBeAnother === true)
        throw new NotFollowed('a store into a value that other keys may be found to have, too');
      const at = blockPlace(state, region.block, pool.addConst(address, -blockAddress(region.block)), size);
      if (block.map >= 0) forgetSame(state, region.block);
      if (value.region !== undefined) {
        if (block.what === 'map value') state.leaks = true;
        if (size === 8) {
          block.memory.setPointer(at, value);
          return;
        }
      }
      block.memory.store(pool, at, bytes);
      return;
    }
    default:
      throw new PathViolation(`a store through what is no pointer to memory (${region?.kind ?? 'a number'})`);
  }
}

function joined(state: PathState, size: number, byteAt: (index: number) => Term): Term {
  return state.pool.concat(Array.from({ length: size }, (_, index) => byteAt(size - 1 - index)));
}

function stackPlace(state: PathState, frame: number, address: Term, size: number): number {
  const base = STACK_BASE + STACK_SIZE * frame;
  const at = Number(state.number(address)) - base;
  if (at < 0 || at + size > STACK_SIZE)
    throw new PathViolation(`stack access out of bounds: fp${at - STACK_SIZE}`);
  if (at % size !== 0)
    throw new PathViolation(`misaligned stack access: fp${at - STACK_SIZE}, ${size} bytes`);
  return at;
}

/** A byte that was never written is an unknown of its own from then on. */
export function stackByte(inputs: Inputs, state: PathState, frame: number, at: number): Term {
  const memory = state.stacks[frame]!;
  const known = memory.byte(state.pool, at);
  if (known !== undefined) return known;
  const whose = inputs.isSecond ? 'second.' : '';
  const unknown = state.pool.unknown(8, `unwritten.${whose}${state.steps}.${frame}.${at}`);
  memory.setByte(at, unknown);
  state.readsUnwritten ??= state.origin;
  return unknown;
}

/** The address, where the frame has so many bytes there. */
function packetPlace(state: PathState, generation: number, address: Term, size: number): number {
  checkGeneration(state, generation);
  settlePlacesIn(state, address);
  const place = state.number(address);
  hasBytes(state, generation, state.pool.constant(64, place), size);
  return Number(place);
}

function checkGeneration({ packet }: PathState, generation: number): void {
  if (generation !== packet.generation)
    throw new PathViolation('a packet pointer from before a helper moved the packet');
}

/** Sees to it that the packet has so many bytes at the address. @throws {PathViolation} where not */
export function hasBytes(state: PathState, generation: number, address: Term, size: number): void {
  const { packet, pool } = state;
  checkGeneration(state, generation);
  const isInside =
    !state.decide(pool.less(address, packet.meta)) &&
    !state.decide(pool.less(packet.end, pool.addConst(address, size)));
  if (!isInside) throw new PathViolation('a packet access out of bounds');
}

/**
 * Stores bytes in the metadata, wherever they are: a path for each length of it would be dozens for every program that marks
 * its packets.
 * @returns false: the address is a certain one, or one that may lie in the frame
 */
function storeInMetadata(state: PathState, generation: number, address: Term, bytes: Term): boolean {
  const { packet, pool, knowledge } = state;
  const size = bytes.width / 8;
  const { min, max } = knowledge.range(address);
  const data = knowledge.only(packet.data);
  const isMetadata = data !== undefined && max + BigInt(size) <= data && max - min < MOST_CHOICES;
  const places = isMetadata && min !== max ? candidates(address, min, max) : undefined;
  if (places === undefined) return false;
  hasBytes(state, generation, address, size);
  for (const place of places) {
    const isHere = knowledge.settle(pool.equal(address, pool.constant(64, place)));
    for (let index = 0; index < size; index++) {
      const at = Number(place) + index;
      const old = packet.bytes.byte(pool, at) ?? packetUnknown(pool, state.hook, at);
      packet.bytes.setByte(at, pool.ite(isHere, pool.extract(bytes, index * 8, 8), old));
    }
  }
  return true;
}

/** A byte of the frame, of its metadata or of the room around it, by its address. */
export function packetByte(inputs: Inputs, state: PathState, at: number): Term {
  return state.packet.bytes.byte(state.pool, at) ?? inputs.packetByte(at);
}

/** @throws {NotFollowed} where nobody knows what is there by now */
function blockAt(state: PathState, index: number): Block {
  const block = state.blocks[index]!;
  if (block.isLost)
    throw new NotFollowed('a pointer to an entry that is gone, whose memory the map may have used again');
  return block;
}

function blockPlace(state: PathState, block: number, place: Term, size: number): number {
  const at = state.number(place);
  const signed = BigInt.asIntN(64, at);
  if (signed < 0n || signed + BigInt(size) > BigInt(state.blocks[block]!.size)) {
    throw new PathViolation(`an access out of bounds of a ${state.blocks[block]!.what}`);
  }
  return Number(signed);
}

export function blockByte(inputs: Inputs, state: PathState, block: number, at: number): Term {
  const { memory, what, map, name } = state.blocks[block]!;
  const known = memory.byte(state.pool, at);
  if (known !== undefined) return known;
  if (what === 'globals') return inputs.readGlobal(map, at);
  return name === undefined ? state.pool.constant(8, 0) : state.pool.unknown(8, `${name}.${at}`);
}

export function addBlock(state: PathState, block: Block): number {
  state.blocks.push(block);
  return state.blocks.length - 1;
}

/** Reads memory that a helper takes, byte by byte. */
export function readBytes(inputs: Inputs, state: PathState, pointer: Value, size: number): Term[] {
  const bytes: Term[] = [];
  for (let index = 0; index < size; index++) {
    const loaded = load(inputs, state, pointer, index, 1);
    if (!('operation' in loaded)) throw new NotFollowed('an address is passed on as bytes');
    bytes.push(loaded);
  }
  return bytes;
}

/** Do bytes that a helper reads hold addresses, so that what it does depends on more than them? */
export function holdAddresses(state: PathState, { term, region }: Value, size: number): boolean {
  if (region?.kind !== 'stack' && region?.kind !== 'block') return false;
  const isStack = region.kind === 'stack';
  const memory = isStack ? state.stacks[region.frame]! : state.blocks[region.block]!.memory;
  const base = isStack ? BigInt(STACK_BASE + STACK_SIZE * region.frame) : blockAddress(region.block);
  const from = Number(state.number(term) - base);
  for (let at = from; at + 8 <= from + size; at++) if (memory.pointer(at) !== undefined) return true;
  return false;
}

/** How long a string may be that a helper reads. */
const MOST_TEXT = 1024;

/** Reads a string in memory that does not change, up to its zero, which comes last. */
export function readString(inputs: Inputs, state: PathState, pointer: Value): Term[] {
  const bytes: Term[] = [];
  while (bytes.length < MOST_TEXT) {
    const [byte] = readBytes(
      inputs,
      state,
      { ...pointer, term: state.pool.addConst(pointer.term, bytes.length) },
      1,
    );
    bytes.push(byte!);
    if (isConst(byte!) && byte!.value === 0n) return bytes;
  }
  throw new NotFollowed('a string that is unknown, or has no end');
}

export function writeBytes(state: PathState, pointer: Value, bytes: readonly Term[]): void {
  for (const [index, byte] of bytes.entries()) {
    const value = { term: state.pool.zeroExtend(64, byte), region: undefined };
    store(state, pointer, index, 1, value);
  }
}
