/** Mutations of what was kept: by byte, by field, by packet, and of two cases put together. */
import { BYTES } from '../../corpus/generate/boundaries.ts';
import type { Random } from '../../corpus/generate/random.ts';
import { repair } from '../../corpus/simplify/packet-layout.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import type { Sequence } from './traced-runs.ts';
import { resized } from './world-edits.ts';

const MAX_PACKETS = 8;

/**
 * One to four changes of a sequence.
 * @param other where spliced bytes and packets come from
 * @param isStated entries of maps, by the map's name, that stay as they are
 */
export function mutateSequence(
  sequence: Sequence,
  other: Sequence,
  random: Random,
  isStated: (map: string, entry: MapEntry) => boolean = () => false,
): Sequence {
  let { world } = sequence;
  const stimuli = sequence.stimuli.slice();
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(stimuli.length);
    const stimulus = stimuli[at]!;
    const from = other.stimuli[random.below(other.stimuli.length)]!;
    switch (random.below(12)) {
      case 0:
        stimuli[at] = resizedStimulus(stimulus, random);
        break;
      case 1:
        stimuli[at] = spliced(stimulus, from, random);
        break;
      case 2:
        if (stimuli.length < MAX_PACKETS) stimuli.splice(at + 1, 0, random.bits() < 0 ? stimulus : from);
        break;
      case 3:
        if (stimuli.length > 1) stimuli.splice(at, 1);
        break;
      case 4:
        world = mutateWorld(world, random, isStated);
        break;
      default:
        stimuli[at] = withBytes(stimulus, random);
    }
  }
  return { world, stimuli };
}

function resizedStimulus(stimulus: Stimulus, random: Random): Stimulus {
  const by = random.below(2) === 0 ? random.below(8) - 4 : random.below(128) - 64;
  const packet = resized(stimulus.packet, Math.max(14, stimulus.packet.length + by));
  return packet === undefined ? stimulus : { ...stimulus, packet };
}

/** The head of one packet, the tail of the other, in the same places. */
function spliced(stimulus: Stimulus, from: Stimulus, random: Random): Stimulus {
  const cut = random.below(Math.min(stimulus.packet.length, from.packet.length) + 1);
  const packet = new Uint8Array(from.packet.length);
  packet.set(from.packet);
  packet.set(stimulus.packet.subarray(0, Math.min(cut, packet.length)));
  return { ...stimulus, packet };
}

function withBytes(stimulus: Stimulus, random: Random): Stimulus {
  const packet = stimulus.packet.slice();
  if (packet.length === 0) return stimulus;
  for (let left = 1 + random.below(3); left > 0; left--) {
    const at = random.below(random.below(4) === 0 ? packet.length : Math.min(packet.length, 80));
    switch (random.below(5)) {
      case 0:
        packet[at]! ^= 1 << random.below(8);
        break;
      case 1:
        packet[at]! += random.below(2) === 0 ? 1 : 255;
        break;
      case 2:
        packet[at] = random.byte();
        break;
      case 3: {
        const to = random.below(packet.length);
        packet.copyWithin(to, at, Math.min(at + 4, packet.length));
        break;
      }
      default:
        packet[at] = random.pick(BYTES);
    }
  }
  if (random.below(2) === 0) repair(packet, 'checksum');
  return { ...stimulus, packet };
}

/** One byte of one value that guidance has put into the world. */
function mutateWorld(
  world: World,
  random: Random,
  isStated: (map: string, entry: MapEntry) => boolean,
): World {
  const own = (name: string): number[] =>
    world.maps![name]!.flatMap((entry, at) => (isStated(name, entry) ? [] : [at]));
  const names = Object.keys(world.maps ?? {}).filter((name) => own(name).length > 0);
  if (names.length === 0) return world;
  const name = names[random.below(names.length)]!;
  const entries = world.maps![name]!.slice();
  const free = own(name);
  const at = free[random.below(free.length)]!;
  const entry: MapEntry = entries[at]!;
  if (entry.value.length === 0) return world;
  const value = entry.value.slice();
  value[random.below(value.length)] = random.below(2) === 0 ? random.byte() : random.pick(BYTES);
  entries[at] = { key: entry.key, value };
  return { ...world, maps: { ...world.maps, [name]: entries } };
}
