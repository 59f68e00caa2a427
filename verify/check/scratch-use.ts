/**
 * How one run uses elements of per-CPU arrays, byte by byte: what it reads there before it has written it, an earlier packet may have
 * left. What it reads that it has written itself, it keeps there for itself alone.
 */
import { ARGUMENT_TYPES } from '../../sim/ebpf/helpers/argument-types.ts';
import { accessSize, BPF_LDX, BPF_REG_FP, CALL, CLASS_MASK, isAtomic } from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TracedCall, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import { BY_NAME } from './frame-helpers.ts';
import { sourceOf } from './probe.ts';
import type { TracedInstructions } from './traced-instructions.ts';

const LOOKUPS: ReadonlySet<string> = new Set(['bpf_map_lookup_elem', 'bpf_map_lookup_percpu_elem']);
const PER_CPU_ARRAY = 'PERCPU_ARRAY';

/** One element, as a run uses it. Bytes are offsets from where it begins. */
export interface ElementUse {
  readonly map: string;
  readonly key: Uint8Array;
  readonly size: number;
  /** Read before the run wrote them, and the line that did so first. */
  readonly readFirst: Map<number, SourcePlaceWithText | undefined>;
  readonly written: Set<number>;
  /** Written before they were read. */
  readonly writtenFirst: Set<number>;
  /** Of those: read afterwards. */
  readonly readBack: Set<number>;
}

/** By map and key. */
export type ScratchUse = ReadonlyMap<string, ElementUse>;

/** @returns undefined where a helper reaches an element in a way that nobody follows */
export function scratchUse(
  instructions: TracedInstructions,
  { steps }: Pick<RunTrace, 'steps'>,
): ScratchUse | undefined {
  const following = new Following();
  const registers: bigint[] = new Array<bigint>(BPF_REG_FP).fill(0n);
  for (const step of steps) {
    const { code, src, offset } = instructions.at(step);
    const kind = code & CLASS_MASK;
    if (step.call !== undefined && code === CALL) {
      if (!following.call(step, step.call)) return undefined;
    } else if (kind === BPF_LDX && src < BPF_REG_FP)
      following.read(Number(registers[src]!) + offset, accessSize(code), step);
    if (step.memory !== undefined) {
      const { address, bytes } = step.memory;
      if (isAtomic(code)) following.read(address, bytes.length, step);
      following.write(address, bytes.length);
    }
    for (const { register, value } of step.registers) registers[register] = value;
  }
  return following.elements;
}

class Following {
  readonly elements = new Map<string, ElementUse>();
  /** By where they begin. */
  readonly #at = new Map<number, ElementUse>();

  /** @returns whether it was followed */
  call(step: TraceStep, call: TracedCall): boolean {
    const helper = BY_NAME.get(call.name);
    for (const [argument, value] of call.arguments.entries()) {
      const address = Number(value);
      const found = this.#elementAt(address);
      if (found === undefined) continue;
      const memory = ARGUMENT_TYPES[helper?.arguments[argument] ?? 'anything'].memory;
      // A number that looks like an address.
      if (helper !== undefined && memory === undefined) continue;
      const size = memory === undefined ? undefined : sizeOf(memory.size, call, argument);
      if (memory === undefined || size === undefined) return false;
      if (memory.access !== 'written') this.read(address, size, step);
      if (memory.access !== 'read') this.write(address, size);
    }
    this.#enter(call);
    return true;
  }

  /** An element that a lookup found. */
  #enter({ name, map, key, result }: TracedCall): void {
    if (!LOOKUPS.has(name) || map?.type !== PER_CPU_ARRAY || key === undefined || !result) return;
    const id = `${map.name} ${Buffer.from(key.bytes).toString('hex')}`;
    const element = this.elements.get(id) ?? {
      ...{ map: map.name, key: key.bytes, size: map.valueSize },
      ...{ readFirst: new Map(), written: new Set<number>() },
      ...{ writtenFirst: new Set<number>(), readBack: new Set<number>() },
    };
    this.elements.set(id, element);
    this.#at.set(Number(result), element);
  }

  read(address: number, size: number, { source }: TraceStep): void {
    const found = this.#elementAt(address);
    if (found === undefined) return;
    const { element, offset } = found;
    const line = source === undefined || source.line === 0 ? undefined : sourceOf(source);
    for (let at = offset; at < Math.min(offset + size, element.size); at++) {
      if (element.writtenFirst.has(at)) element.readBack.add(at);
      else if (!element.written.has(at) && !element.readFirst.has(at)) element.readFirst.set(at, line);
    }
  }

  write(address: number, size: number): void {
    const found = this.#elementAt(address);
    if (found === undefined) return;
    const { element, offset } = found;
    for (let at = offset; at < Math.min(offset + size, element.size); at++) {
      if (!element.readFirst.has(at)) element.writtenFirst.add(at);
      element.written.add(at);
    }
  }

  #elementAt(address: number): { readonly element: ElementUse; readonly offset: number } | undefined {
    for (const [start, element] of this.#at)
      if (address >= start && address < start + element.size) return { element, offset: address - start };
    return undefined;
  }
}

function sizeOf(
  size: number | string,
  { map, arguments: values }: TracedCall,
  argument: number,
): number | undefined {
  if (typeof size === 'number') return size;
  const sizes: Readonly<Record<string, number | undefined>> = {
    'map key': map?.keySize,
    'map value': map?.valueSize,
    'next argument': Number(values[argument + 1] ?? 0n),
  };
  return sizes[size];
}
