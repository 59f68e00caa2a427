/** What calls of helpers hand on: the memory that a helper is about to read, as the program has it. */
import type { MapDefinition } from '../../runtime/maps.ts';
import { ARGUMENT_TYPES, type ArgumentType } from '../helpers/argument-types.ts';
import { DYNPTR, readDynptr } from '../helpers/dynptr.ts';
import type { Helper } from '../helpers/helper.ts';
import type { Machine } from '../machine.ts';
import { BloomFilterMap } from '../maps/bloom-filter-map.ts';
import { LENGTH_MASK, RINGBUF_HEADER } from '../maps/ring-buffer-map.ts';
import { STACK_BASE } from '../memory.ts';
import { unwrittenByte } from '../stack-fill.ts';
import { LAST_STACK_REGION, STACK_REGION } from './provenance.ts';
import type { State } from './state.ts';

/** Memory that one argument of a call hands on. */
export interface PassedMemory {
  /** Counted from 0. */
  readonly argument: number;
  /** Where nobody wrote to the stack: what the world has there. */
  readonly bytes: Uint8Array;
  /** The map that the call is about; undefined where it is about none. */
  readonly map: MapDefinition | undefined;
  /** Is it a sample of a ring buffer, whose bytes are handed on where they lie? */
  readonly isSample: boolean;
}

/** @param values the call's registers, from r1 on, as far as they were set */
export function passedMemory(state: State, helper: Helper, values: readonly bigint[]): PassedMemory[] {
  return helper.arguments.flatMap((type, argument) => {
    const range =
      argument < values.length ? rangeOf(state.machine, helper, values, type, argument) : undefined;
    if (range === undefined) return [];
    const { address, size, isSample } = range;
    // What the verifier forbids may point anywhere.
    if (address <= 0 || address + size > state.machine.memory.end) return [];
    return [
      {
        argument,
        map: mapOf(state.machine, helper.arguments, values),
        bytes: bytesAt(state, state.tag[argument + 1]!, address, size),
        isSample,
      },
    ];
  });
}

interface Range {
  readonly address: number;
  readonly size: number;
  readonly isSample: boolean;
}

function rangeOf(
  machine: Machine,
  { name, arguments: types }: Helper,
  values: readonly bigint[],
  type: ArgumentType,
  argument: number,
): Range | undefined {
  const address = Number(values[argument]);
  if (type === 'sample') return sampleAt(machine, address);
  if (type === 'dynptr') return name === 'bpf_ringbuf_submit_dynptr' ? sampleOf(machine, address) : undefined;
  const { memory } = ARGUMENT_TYPES[type];
  if (memory === undefined || memory.region !== 'any') return undefined;
  const isRead = memory.access !== 'written' || (type === 'value_peeked' && isFilter(machine, values));
  if (!isRead) return undefined;
  const map = mapOf(machine, types, values);
  const sizes: Readonly<Record<string, number | undefined>> = {
    'map key': map?.keySize,
    'map value': map?.valueSize,
    'next argument': Number(values[argument + 1] ?? 0n),
  };
  const size = typeof memory.size === 'number' ? memory.size : sizes[memory.size];
  return size === undefined ? undefined : { address, size, isSample: false };
}

/** Some take the context first. */
function mapOf(
  machine: Machine,
  types: readonly ArgumentType[],
  values: readonly bigint[],
): MapDefinition | undefined {
  const value = values[types.indexOf('map')];
  return value === undefined ? undefined : machine.mapAt(Number(value))?.definition;
}

/** Bloom filters read what other maps fill. */
function isFilter(machine: Machine, [map]: readonly bigint[]): boolean {
  return machine.mapAt(Number(map)) instanceof BloomFilterMap;
}

function sampleOf(machine: Machine, at: number): Range | undefined {
  if (at <= 0 || at + 16 > machine.memory.end) return undefined;
  const dynptr = readDynptr(machine, at);
  return dynptr?.kind === DYNPTR.sample ? sampleAt(machine, dynptr.address) : undefined;
}

/** The header in front of a sample says how long it is. */
function sampleAt({ memory }: Machine, address: number): Range | undefined {
  if (address < RINGBUF_HEADER || address > memory.end) return undefined;
  return { address, size: memory.u32(address - RINGBUF_HEADER) & LENGTH_MASK, isSample: true };
}

function bytesAt({ machine, provenance }: State, tag: number, address: number, size: number): Uint8Array {
  const bytes = machine.memory.read(address, size);
  if (tag < STACK_REGION || tag > LAST_STACK_REGION) return bytes;
  return bytes.map((byte, index) =>
    provenance.isWritten(address - STACK_BASE + index, 1)
      ? byte
      : unwrittenByte(machine.world, address + index),
  );
}
