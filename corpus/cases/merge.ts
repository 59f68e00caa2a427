/** Putting corpora together. */
import { createHash } from 'node:crypto';
import {
  DEFAULT_INGRESS_IFINDEX,
  protoOf,
  type SkbInput,
  type Stimulus,
} from '../../sim/packet/packet-batch.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import type { Case } from './case.ts';

/**
 * All cases of all corpora, each once, in the order of their first appearance. Two cases are the same when program,
 * world and stimuli are; of their notes the first is kept.
 */
export function merge(...corpora: readonly Iterable<Case>[]): Case[] {
  const first = new Map<string, Case>();
  for (const corpus of corpora) {
    for (const value of corpus) {
      const key = contentKey(value);
      if (!first.has(key)) first.set(key, value);
    }
  }
  return [...first.values()];
}

/**
 * What a case does, in 32 hexadecimal digits: the same for equal program, world and stimuli, whatever its note, on
 * every machine. Serves as a file name as well.
 */
export function contentKey(value: Case): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([value.program, sorted(worldToJson(value.world))]));
  for (const stimulus of value.stimuli) {
    hash.update(numbersOf(stimulus));
    if (stimulus.metadata !== undefined) hash.update(stimulus.metadata);
    hash.update(stimulus.packet);
  }
  return hash.digest('hex').slice(0, 32);
}

/** Everything about a stimulus but its bytes; with the lengths, so that no byte changes sides unnoticed. */
function numbersOf(stimulus: Stimulus): string {
  return JSON.stringify([
    stimulus.packet.length,
    stimulus.metadata?.length ?? 0,
    stimulus.ingressIfindex ?? DEFAULT_INGRESS_IFINDEX,
    stimulus.rxQueueIndex ?? 0,
    stimulus.entry ?? 0,
    ...(stimulus.skb === undefined ? [] : skbTexts(stimulus.skb)),
  ]);
}

function skbTexts({ vlan, tunnel, ...numbers }: SkbInput): string[][] {
  const tag = vlan === undefined ? [] : [`vlan,${protoOf(vlan)},${vlan.tci}`];
  const outer = tunnel === undefined ? [] : [`tunnel,${Object.entries(tunnel).map(String).sort().join()}`];
  return [[...Object.entries(numbers).map(String), ...tag, ...outer].sort()];
}

/** The same JSON with the fields of objects in order of name. */
function sorted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(sorted);
  if (json === null || typeof json !== 'object') return json;
  return Object.fromEntries(
    Object.entries(json)
      .filter(([, value]) => value !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, value]) => [name, sorted(value)]),
  );
}
