/** Changes captures record by record: lengths, link types, headers, order. */
import type { Random } from '../../../corpus/generate/random.ts';
import { INTERESTING } from './bytes.ts';
import { type Damage, joined, pick } from './damage.ts';

interface Piece {
  readonly from: number;
  readonly to: number;
}

/** Where the file header ends, and each of its records or blocks starts and ends. */
type Cut = (bytes: Uint8Array) => Piece[];

/** Bytes in front of a record in which lengths and the headers of the first layers lie. */
const NEAR = 96;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Little-endian, with microseconds: what the seeds are. */
const pcapRecords: Cut = (bytes) =>
  recordsFrom(bytes, 24, 16, (at) => 16 + view(bytes).getUint32(at + 8, true));
const snoopRecords: Cut = (bytes) => recordsFrom(bytes, 16, 24, (at) => view(bytes).getUint32(at + 8));
const pcapngBlocks: Cut = (bytes) =>
  recordsFrom(bytes, 0, 12, (at) => (view(bytes).getUint32(at + 4, true) + 3) & ~3);

function recordsFrom(
  bytes: Uint8Array,
  start: number,
  header: number,
  sizeAt: (at: number) => number,
): Piece[] {
  const pieces: Piece[] = [{ from: 0, to: start }];
  for (let at = start; at + header <= bytes.length; ) {
    const size = sizeAt(at);
    if (size < header || at + size > bytes.length) break;
    pieces.push({ from: at, to: at + size });
    at += size;
  }
  return pieces.filter(({ from, to }) => to > from);
}

function damageRecords(cut: Cut): Damage {
  return (random, input, other) => {
    let pieces: Uint8Array[] = cut(input).map(({ from, to }) => input.slice(from, to));
    const others = cut(other).map(({ from, to }) => other.slice(from, to));
    const changes = 1 + random.below(5);
    for (let change = 0; change < changes; change++) pieces = changed(random, pieces, others);
    return joined(pieces);
  };
}

export const damagePcap: Damage = damageRecords(pcapRecords);
export const damageSnoop: Damage = damageRecords(snoopRecords);
export const damagePcapng: Damage = damageRecords(pcapngBlocks);

function changed(random: Random, pieces: Uint8Array[], others: readonly Uint8Array[]): Uint8Array[] {
  if (pieces.length === 0) return [...others];
  const index = random.below(pieces.length);
  const piece = pieces[index]!;
  const at = random.below(Math.max(1, Math.min(piece.length, NEAR)));
  const rest = [...pieces];
  switch (random.below(10)) {
    case 0:
      rest.splice(index, 1);
      return rest;
    case 1:
      rest.splice(index, 0, piece.slice());
      return rest;
    case 2:
      rest.splice(index, 0, pick(random, others).slice());
      return rest;
    case 3: {
      const to = random.below(pieces.length);
      [rest[index], rest[to]] = [rest[to]!, piece];
      return rest;
    }
    case 4:
      rest[index] = piece.slice(0, random.below(piece.length + 1));
      return rest;
    case 5:
      piece[at]! ^= 1 << random.below(8);
      return rest;
    case 6:
      // A length or a number of four bytes, a little more or less.
      if (at + 4 <= piece.length) {
        const word = at & ~3;
        view(piece).setUint32(word, view(piece).getUint32(word, true) + random.below(9) - 4, true);
      }
      return rest;
    case 7:
      if (at + 2 <= piece.length)
        view(piece).setUint16(at & ~1, random.below(0x10000), random.below(2) === 0);
      return rest;
    default:
      piece[at] = pick(random, INTERESTING);
      return rest;
  }
}
