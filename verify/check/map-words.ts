/**
 * Words that a program takes from its maps into packets: the address that a balancer sends to, the port that a translator puts
 * in. A packet's own words are swept over all of their values; what a map holds is only what the test made up, and a sum over
 * such small numbers never carries. For each word that comes out as it stands in a map, contents are made with which the sums
 * of the headers come to where a missing fold, a lost carry and a zero show.
 *
 * A map that the test filled with zeros may make a program change nothing: what it adds to a sequence number is 0, and so is the
 * difference of a checksum. Such maps are tried with other contents, too.
 */

import type { SavedCase } from '../../corpus/cases/case.ts';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { withMadeMaps } from '../../sim/ebpf/made-maps.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { SEQUENCES } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { CHECKSUM, LAYER, verifyChecksums } from '../oracle/checksums.ts';
import type { FoundChecksum } from '../oracle/found.ts';
import type { Outcome } from '../outcome.ts';
import { CaseRunner } from './probe.ts';
import type { Rewritten } from './rewritten.ts';
import { ChecksumRepair } from './sweep-packets.ts';

/** Packets that are looked at: one of each world and action. */
const MAX_PACKETS = 12;
/** Words of one world's entries. */
const MAX_WORDS = 48;
/** Cases that are made; each is a world of its own, which takes some milliseconds to open. */
const MAX_CASES = 160;

/** Of other contents for maps: runs that look for them, and cases that are kept. */
const MAX_TRIES = 400;
const MAX_FILLED = 32;

/** Maps whose values are the program's own; those of others name devices, programs, sockets. */
const PLAIN: ReadonlySet<string> = new Set([
  'HASH',
  'LRU_HASH',
  'PERCPU_HASH',
  'LRU_PERCPU_HASH',
  'ARRAY',
  'PERCPU_ARRAY',
  'LPM_TRIE',
  ...SEQUENCES,
]);

/** Elements of a queue or stack that one packet may take out. */
const MAX_TAKEN = 4;

/**
 * Folded sums that come of a second carry, or of none, in the order of the wire and in the other, in which little-endian
 * machines add; and the two zeros.
 */
const SUMS: readonly number[] = [1, 2, 3, 4, 5, 6]
  .flatMap((sum) => [sum, sum << 8])
  .concat(0xffff, 0xfffe, 0xff00);

/** Two bytes of a value, at an even place. */
interface Word {
  readonly map: string;
  readonly entry: number;
  readonly at: number;
}

/** Cases whose worlds differ from those that the test made up in a word that a program takes over. */
export async function mapWordCases(
  program: Program,
  engine: Engine,
  rewritten: readonly Rewritten[],
): Promise<SavedCase[]> {
  const runner = new CaseRunner(program, engine);
  const cases: SavedCase[] = [];
  try {
    const picked = onePerWorld(program, rewritten);
    for (const { world, stimulus } of [...picked, ...withZeros(program, rewritten)]) {
      const before = await runner.outcome(world, stimulus);
      if (before === undefined) continue;
      for (const words of await takenOver(runner, world, stimulus, before, wordsOf(program, world)))
        for (const other of words) {
          if (cases.length >= MAX_CASES) return cases;
          cases.push({
            path: `contents of maps ${cases.length + 1}`,
            case: { program: program.name, world: other, stimuli: [stimulus] },
          });
        }
    }
    return cases;
  } finally {
    await runner.close();
  }
}

/**
 * Cases whose worlds have other contents than those that led there, with which the program writes something else to places of the
 * frame that it left as they came.
 * @param found cases that the test made up; those of one packet are looked at
 */
export async function filledCases(
  program: Program,
  engine: Engine,
  found: readonly SavedCase[],
): Promise<SavedCase[]> {
  const runner = new CaseRunner(program, engine);
  const filled = new Map<string, SavedCase>();
  let tries = 0;
  try {
    for (const { case: one } of found) {
      const [stimulus, ...others] = one.stimuli;
      const words = wordsOf(program, one.world);
      if (stimulus === undefined || others.length > 0 || words.length === 0) continue;
      const before = await runner.outcome(one.world, stimulus);
      if (before === undefined) continue;
      for (const marks of fillings(one.world, words)) {
        if (filled.size >= MAX_FILLED || tries++ >= MAX_TRIES) return [...filled.values()];
        const got = await marked(runner, one.world, stimulus, before, marks);
        const places = got === undefined ? '' : newPlaces(stimulus.packet, before.packet, got.packet);
        if (places === '') continue;
        // One that came sound shows more, and is swept.
        const key = `${stimulus.entry ?? 0} ${isSound(stimulus.packet)} ${places}`;
        const path = `filled maps ${filled.size + 1}`;
        if (!filled.has(key)) filled.set(key, { path, case: { ...one, world: withWords(one.world, marks) } });
        break;
      }
    }
    return [...filled.values()];
  } finally {
    await runner.close();
  }
}

/** All words; those that are 0, since others may decide; each of these by itself. */
function fillings(world: World, words: readonly Word[]): ReadonlyMap<Word, number>[] {
  const all = words.map((word, index) => [word, mark(index)] as const);
  const zeros = all.filter(([word]) => wordAt(world, word) === 0);
  const fillings = [all, ...(zeros.length < all.length ? [zeros] : []), ...zeros.map((one) => [one])];
  return fillings.map((one) => new Map(one)).filter(({ size }) => size > 0);
}

/**
 * Where a packet came out as it came in, and does no longer; of one that becomes longer or shorter, whose bytes have other places
 * then, where it comes out otherwise. Empty: nowhere.
 */
function newPlaces(came: Uint8Array, before: Uint8Array, now: Uint8Array): string {
  if (before.length !== came.length) return [...now.keys()].filter((at) => before[at] !== now[at]).join();
  return [...now.keys()].filter((at) => before[at] === came[at] && now[at] !== came[at]).join();
}

function wordAt({ maps = {} }: World, { map, entry, at }: Word): number {
  return read16(maps[map]![entry]!.value, at);
}

function onePerWorld(
  program: Program,
  rewritten: readonly Rewritten[],
): Pick<Rewritten, 'world' | 'stimulus'>[] {
  const found = new Map<string, Rewritten>();
  const numbers = new Map<World, number>();
  for (const one of rewritten) {
    if (wordsOf(program, one.world).length === 0) continue;
    const number = numbers.get(one.world) ?? numbers.size;
    numbers.set(one.world, number);
    // What is rewritten differs by protocol: its name says which.
    const key = `${number} ${one.stimulus.entry ?? 0} ${one.name.replace(/\+\d+/, '')}`;
    if (!found.has(key)) found.set(key, one);
  }
  return [...new Map([...found.values()].map((one) => [one.stimulus, one])).values()].slice(0, MAX_PACKETS);
}

/**
 * Packets in which a word that the program rewrites is 0. Sums are made of what was there and what comes in its place, and some carry
 * only where the first takes nothing away.
 */
function withZeros(
  program: Program,
  rewritten: readonly Rewritten[],
): Pick<Rewritten, 'world' | 'stimulus'>[] {
  const repair = new ChecksumRepair();
  const fields = rewritten.filter(({ world, balance }) => balance < 0 && wordsOf(program, world).length > 0);
  return fields.slice(0, MAX_PACKETS).map(({ world, stimulus, at }) => {
    const packet = stimulus.packet.slice();
    repair.apply(packet, 0, packet.length, at, 0, -1);
    return { world, stimulus: { ...stimulus, packet } };
  });
}

function wordsOf(program: Program, world: World): Word[] {
  const words = plainEntries(program, world).flatMap(({ map, entry, size }) =>
    Array.from({ length: size >> 1 }, (_, index) => ({ map, entry, at: 2 * index })),
  );
  return words.slice(0, MAX_WORDS);
}

/** Entries that a packet may meet of maps whose values are the program's own, and how many bytes these have. */
export function plainEntries(
  { object }: Program,
  { maps = {} }: World,
): { readonly map: string; readonly entry: number; readonly size: number }[] {
  if (object === undefined) return [];
  const plain = withMadeMaps(linkedObject(object), { maps }).maps.filter(
    ({ type, global }) => PLAIN.has(type) && global === undefined,
  );
  return plain.flatMap(({ name, type, valueSize }) =>
    entriesMet(type, maps[name]?.length ?? 0).map((entry) => ({ map: name, entry, size: valueSize })),
  );
}

/** Which of a map's entries a packet may meet: of a queue or stack, those that come out first. */
function entriesMet(type: BpfMap['type'], count: number): number[] {
  const all = Array.from({ length: count }, (_, entry) => entry);
  if (!SEQUENCES.has(type)) return all;
  return (type === 'STACK' ? all.reverse() : all).slice(0, MAX_TAKEN);
}

/** For each word that comes out as the map has it, the worlds that are to be tried. */
async function takenOver(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  before: Outcome,
  words: readonly Word[],
): Promise<World[][]> {
  const found: World[][] = [];
  for (const { marks, seen } of await markings(runner, world, stimulus, before, words)) {
    for (const [word, value] of marks) {
      for (const isSwapped of [false, true]) {
        const wanted = isSwapped ? swapped(value) : value;
        const place = placeOf(seen.packet, before.packet, wanted);
        if (place < 0) continue;
        const worlds = worldsOfWord(seen.packet, wanted).map((next) =>
          withWords(withWords(world, marks), new Map([[word, isSwapped ? swapped(next) : next]])),
        );
        if (worlds.length > 0) found.push(worlds);
        break;
      }
    }
  }
  return found;
}

/** Words of maps that were marked, and what came out. */
interface Marking {
  readonly marks: ReadonlyMap<Word, number>;
  readonly seen: Outcome;
}

/**
 * All words at once; where that leads elsewhere, since a value decides something, those that decide nothing by themselves: sums carry
 * where several are large. Where these lead elsewhere together, one by one.
 */
async function markings(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  before: Outcome,
  words: readonly Word[],
): Promise<Marking[]> {
  const marks = words.map((word, index) => new Map([[word, mark(index)]]));
  const marking = async (one: ReadonlyMap<Word, number>): Promise<Marking[]> => {
    const seen = await rightlyMarked(runner, world, stimulus, before, one);
    return seen === undefined ? [] : [{ marks: one, seen }];
  };
  const all = await marking(new Map(marks.flatMap((one) => [...one])));
  if (all.length > 0) return all;
  const single: Marking[] = [];
  for (const one of marks) single.push(...(await marking(one)));
  if (single.length < 2) return single;
  const together = await marking(new Map(single.flatMap((one) => [...one.marks])));
  return together.length > 0 ? together : single;
}

/**
 * Numbers that no packet is likely to hold, each another one, and large in either byte order: sums of small ones do not carry.
 * The first byte is that of an address of one host.
 */
function mark(index: number): number {
  return ((0xc0 | ((index * 2) & 0x1e)) << 8) | 0xc0 | ((index * 7 + 1) & 0x3f);
}

/** What comes out with marks in the map; undefined where the program does something else then. */
async function marked(
  runner: CaseRunner,
  world: World,
  stimulus: Stimulus,
  { action, packet }: Outcome,
  marks: ReadonlyMap<Word, number>,
): Promise<Outcome | undefined> {
  const got = await runner.outcome(withWords(world, marks), stimulus);
  if (got === undefined || got.action !== action || got.packet.length !== packet.length) return undefined;
  return got;
}

/** The same; undefined also where the program does not keep checksums right: that is for `map-bytes.ts` to see. */
async function rightlyMarked(...run: Parameters<typeof marked>): Promise<Outcome | undefined> {
  const got = await marked(...run);
  return got !== undefined && isRight(got.packet) ? got : undefined;
}

/** Is none of its checksums wrong? */
function isRight(packet: Uint8Array): boolean {
  return sumsOf(packet).every(({ status }) => status !== CHECKSUM.bad && status !== CHECKSUM.illegal);
}

/** Can all of its checksums be verified, and are they right? */
function isSound(packet: Uint8Array): boolean {
  const sums = sumsOf(packet);
  return (
    sums.length > 0 && sums.every(({ status }) => status === CHECKSUM.good || status === CHECKSUM.absent)
  );
}

/** Where the word stands in the one packet and not in the other; -1: nowhere. */
function placeOf(packet: Uint8Array, before: Uint8Array, word: number): number {
  for (let at = 0; at + 1 < packet.length; at += 2) {
    if (read16(packet, at) === word && read16(before, at) !== word) return at;
  }
  return -1;
}

/** The values of a word that stands as `word` in this packet, with which one of its checksums comes to each of `SUMS`. */
function worldsOfWord(packet: Uint8Array, word: number): number[] {
  const values = new Set<number>();
  for (const { got, status } of sumsOf(packet)) {
    if (status !== CHECKSUM.good) continue;
    for (const sum of SUMS) values.add(plus(word, plus(sum, got)));
  }
  return [...values];
}

function sumsOf(packet: Uint8Array): Pick<FoundChecksum, 'got' | 'status'>[] {
  const found: Pick<FoundChecksum, 'got' | 'status'>[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ layer, got, status }) => {
      if (layer !== LAYER.sctp) found.push({ got, status });
    },
  });
  return found;
}

/** Of ones' complement numbers. */
function plus(a: number, b: number): number {
  const sum = a + b;
  return (sum & 0xffff) + (sum >> 16);
}

function withWords(world: World, values: ReadonlyMap<Word, number>): World {
  const maps: Record<string, readonly MapEntry[]> = { ...world.maps };
  for (const [{ map, entry, at }, value] of values) {
    maps[map] = maps[map]!.map((one, index) => {
      if (index !== entry) return one;
      const bytes = one.value.slice();
      bytes[at] = value >> 8;
      bytes[at + 1] = value;
      return { ...one, value: bytes };
    });
  }
  return { ...world, maps };
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
