/** Ways to damage an input, and how they are put together. */
import type { Random } from '../../../corpus/generate/random.ts';

/** @param other another input of the kind, to take pieces from; neither of them is changed */
export type Damage = (random: Random, input: Uint8Array, other: Uint8Array) => Uint8Array;

/** One of them, each as often as it is named. */
export function oneOf(...damages: readonly Damage[]): Damage {
  return (random, input, other) => damages[random.below(damages.length)]!(random, input, other);
}

/** Behind a label that says what the text is for: `aim port=1`. */
export function behindLabel(damage: Damage): Damage {
  return (random, input, other) => {
    const at = input.indexOf(0x20) + 1;
    const changed = damage(random, input.subarray(at), other.subarray(other.indexOf(0x20) + 1));
    return joined([input.subarray(0, at), changed]);
  };
}

/** One of the items. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)]!;
}

/** One after the other, in bytes of their own: pieces of a `Buffer` would be views. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}
