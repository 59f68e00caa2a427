/**
 * Packets whose lookups find what the user, or a model, has put into maps: the bytes that a key is made of are solved for
 * the keys that are there, composite and computed ones too.
 */
import { type Assignment, bytes, type Operand, tracedValue } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import { type Choosable, invert } from '../../sim/ebpf/dataflow/solve.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import { isSameKey } from './world-edits.ts';

/** Of each map: most programs treat their entries alike. */
const MAX_KEYS = 16;
/** The prefix length in front of an LPM key (`struct bpf_lpm_trie_key`). */
const PREFIX_LENGTH = 4;
/** Bytes that are solved for at a time, where they come from one value. */
const SIZES = [8, 4, 2, 1];

/** By map name: the keys that worlds state. */
export function statedKeys(worlds: readonly NamedWorld[]): ReadonlyMap<string, readonly Uint8Array[]> {
  const keys = new Map<string, Uint8Array[]>();
  for (const { world } of worlds) {
    for (const lists of [world.maps ?? {}, world.slots ?? {}]) {
      for (const [name, entries] of Object.entries(lists)) {
        const known = keys.get(name) ?? [];
        keys.set(name, known);
        for (const { key } of entries) {
          if (known.length >= MAX_KEYS) break;
          if (key !== undefined && !known.some((one) => isSameKey(one, key))) known.push(key);
        }
      }
    }
  }
  return keys;
}

/** Values of inputs with which the call would ask for this key; undefined where it cannot. */
export function askingFor(
  call: FlowCall,
  key: Uint8Array,
  machine: Machine,
  choosable: Choosable,
): Assignment | undefined {
  if (key.length !== call.key.length) return undefined;
  const { type } = machine.object.maps[call.map]!;
  const assignment = new Map<Parameters<Choosable>[0], bigint>();
  const enter = (solution: Assignment): boolean => {
    for (const [field, value] of solution) {
      const before = assignment.get(field);
      if (!choosable(field) || (before !== undefined && before !== value)) return false;
    }
    for (const [field, value] of solution) assignment.set(field, value);
    return true;
  };
  const solve = (operand: Operand, target: bigint, bits: number): boolean => {
    if (BigInt.asUintN(bits, tracedValue(operand)) === target && typeof operand === 'bigint') return true;
    return invert(operand, target, bits).some(enter);
  };
  const { keyParts } = call;
  // An index is one value.
  if (keyParts.length === 1 && key.length === 4)
    return solve(keyParts[0]!, numberOf(key), 32) ? assignment : undefined;
  if (keyParts.length !== key.length) return undefined;
  for (let at = type === 'LPM_TRIE' ? PREFIX_LENGTH : 0; at < key.length; ) {
    const size = SIZES.find((one) => {
      if (at + one > key.length) return false;
      const parts = keyParts.slice(at, at + one);
      return solve(bytes(parts), numberOf(key.subarray(at, at + one)), 8 * one);
    });
    if (size === undefined) return undefined;
    at += size;
  }
  return assignment;
}

/** In the machine's order. */
function numberOf(key: Uint8Array): bigint {
  return key.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
