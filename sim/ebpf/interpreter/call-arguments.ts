/** What the arguments of a call lead to, where a tracer looks at them before the machine has judged the call: they may be anything. */
import type { Machine } from '../machine.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { KIND } from './provenance.ts';
import type { State } from './state.ts';

export const NOTHING: Uint8Array = new Uint8Array(0);

/** The map in a register. */
export function mapIn({ tag, provenance, machine }: State, register: number): LiveMap | undefined {
  const own = tag[register]!;
  return own > 0 && provenance.kind[own] === KIND.map ? machine.maps[provenance.detail[own]!] : undefined;
}

/** Bytes of the machine's memory; none where there are none. */
export function bytesAt({ memory }: Machine, at: number, size: number): Uint8Array {
  return at > 0 && size > 0 && at + size <= memory.u8.length ? memory.read(at, size) : NOTHING;
}
