/**
 * Bytes of maps that a program puts into packets in any way: shifted, masked, one of them at a time. Words that come out as they
 * stand in a map are swept (`map-words.ts`); these take telling values, and those are kept with which a packet that was right
 * no longer is: a checksum that was made before the address of a map was written, a class of traffic that is shifted into the
 * version.
 *
 * What a map holds is user space's to say. A value that the program takes with all of its bits may well be one that nobody puts
 * there, and counts only where it leaves a checksum behind; where the program masks bits, any of the others is to be right.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { withMadeMaps } from '../../sim/ebpf/made-maps.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { checksumFields } from '../explain/checksum-site.ts';
import { CHECKSUM, verifyChecksums } from '../oracle/checksums.ts';
import { HEADER_FLAG } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import type { Outcome } from '../outcome.ts';
import { plainEntries } from './map-words.ts';
import { masksBits } from './masked-bits.ts';
import { CaseRunner, type Sighting, traceOf } from './probe.ts';
import type { Moved } from './rewritten.ts';
import { TracedInstructions } from './traced-instructions.ts';

/** Packets that are looked at. */
const MAX_PACKETS = 12;
/** Bytes of one world's entries of which it is asked whether they matter, and those that do of which every value is tried. */
const MAX_BYTES = 64;
const MAX_MATTERING = 16;
/** Cases that are kept, and those of one byte. */
const MAX_CASES = 48;
const MAX_OF_BYTE = 3;

const BITS = Array.from({ length: 8 }, (_, bit) => 1 << bit);
const TELLING = [0, ...BITS, 0x7f, 0xff];

/** A byte of a value. */
interface Byte {
  readonly map: string;
  readonly entry: number;
  readonly at: number;
}

/** A packet that came out right, in a world that states the entries which it met. */
interface Start extends Sighting {
  readonly before: Outcome;
}

/**
 * Cases in whose worlds a byte of a map has a value with which a packet comes out wrong, and would not with another.
 * @param changed packets that the program was seen to change, each of another kind first
 */
export async function mapByteCases(
  program: Program,
  engine: Engine,
  changed: readonly Sighting[],
): Promise<SavedCase[]> {
  const runner = new CaseRunner(program, engine);
  const found: SavedCase[] = [];
  try {
    for (const sighting of changed.slice(0, MAX_PACKETS)) {
      const start = await startOf(program, runner, sighting);
      for (const world of start === undefined ? [] : await wrongWorlds(program, runner, start)) {
        if (found.length >= MAX_CASES) return found;
        const path = `bytes of maps ${found.length + 1}`;
        found.push({ path, case: { program: program.name, world, stimuli: [sighting.stimulus] } });
      }
    }
    return found;
  } finally {
    await runner.close();
  }
}

/**
 * Of packets that a program changes one of each kind: the protocol whose words it rewrites, in each world; those that it makes
 * longer or shorter, whose words have no name, all.
 */
export function kindsOf(changed: readonly (Moved & { readonly name?: string })[]): Moved[] {
  const numbers = new Map<World, number>();
  const kinds = new Map<string, Moved>();
  for (const [index, { world, stimulus, name }] of changed.entries()) {
    const number = numbers.get(world) ?? numbers.size;
    numbers.set(world, number);
    const key = name === undefined ? `moved ${index}` : name.replace(/\+\d+/, '');
    const kind = `${number} ${stimulus.entry ?? 0} ${key}`;
    if (!kinds.has(kind)) kinds.set(kind, { world, stimulus });
  }
  return [...new Map([...kinds.values()].map((one) => [one.stimulus, one])).values()];
}

async function startOf(
  program: Program,
  runner: CaseRunner,
  { world, stimulus }: Sighting,
): Promise<Start | undefined> {
  const stated = await withArrayEntries(program, { world, stimulus });
  if (plainEntries(program, stated).length === 0) return undefined;
  const before = await runner.outcome(stated, stimulus);
  if (before?.status !== 'ran' || hasWrongSum(before.packet)) return undefined;
  return { world: stated, stimulus, before };
}

/** The elements of arrays that the packet met: they are there, of zeros, where no world says anything of them. */
async function withArrayEntries(program: Program, { world, stimulus }: Sighting): Promise<World> {
  const { object } = program;
  if (object === undefined) return world;
  const arrays = withMadeMaps(linkedObject(object), world).maps.filter(
    ({ name, type, global }) => type === 'ARRAY' && global === undefined && world.maps?.[name] === undefined,
  );
  if (arrays.length === 0) return world;
  const trace = await traceOf(program, { world, stimuli: [stimulus] });
  const maps: Record<string, readonly MapEntry[]> = { ...world.maps };
  for (const place of trace?.steps.flatMap(({ registers }) => registers.map((one) => one.place)) ?? []) {
    const [, name, index] = /^(.+)\[(\d+)\]\+0$/.exec(place ?? '') ?? [];
    const array = arrays.find((one) => one.name === name);
    if (array === undefined) continue;
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, Number(index), true);
    const known = maps[array.name] ?? [];
    if (known.some((entry) => Buffer.compare(entry.key, key) === 0)) continue;
    maps[array.name] = [...known, { key, value: new Uint8Array(array.valueSize) }];
  }
  return { ...world, maps };
}

async function wrongWorlds(program: Program, runner: CaseRunner, start: Start): Promise<World[]> {
  const mattering: Byte[] = [];
  for (const byte of plainEntries(program, start.world).flatMap(bytesOf).slice(0, MAX_BYTES)) {
    const packet = await packetWith(runner, start, byte, valueAt(start.world, byte) ^ 0xff);
    if (packet === undefined || isSame(packet, start.before.packet)) continue;
    // Sums that come ready-made: nobody can make up others that fit.
    if (differsOnlyInSums(start.before.packet, packet)) return [];
    mattering.push(byte);
  }
  const worlds: World[] = [];
  for (const byte of mattering.slice(0, MAX_MATTERING))
    worlds.push(...(await wrongOf(program, runner, start, byte)));
  return worlds;
}

/** The worlds in which one byte makes the packet wrong. */
async function wrongOf(program: Program, runner: CaseRunner, start: Start, byte: Byte): Promise<World[]> {
  const packets = new Map<number, Uint8Array>();
  for (const value of TELLING) {
    const packet = await packetWith(runner, start, byte, value);
    if (packet !== undefined) packets.set(value, packet);
  }
  const shape = shapeOf(start.before.packet);
  const wrong = [...packets].filter(([, packet]) => hasWrongSum(packet) || shapeOf(packet) !== shape);
  const counts = wrong.every(([, packet]) => hasWrongSum(packet)) || (await isMasked(program, start, byte));
  const kept = counts ? wrong : wrong.filter(([, packet]) => hasWrongSum(packet));
  return kept.slice(0, MAX_OF_BYTE).map(([value]) => withByte(start.world, byte, value));
}

/** Does the program take only some of its bits? */
async function isMasked(program: Program, { world, stimulus }: Start, byte: Byte): Promise<boolean> {
  const traces = [0, 0xff].map((value) =>
    traceOf(program, { world: withByte(world, byte, value), stimuli: [stimulus] }),
  );
  const [none, all] = await Promise.all(traces);
  if (none === undefined || all === undefined) return false;
  return masksBits(new TracedInstructions(program), none, all);
}

/** What comes out then; undefined where the program does something else. */
async function packetWith(
  runner: CaseRunner,
  { world, stimulus, before }: Start,
  byte: Byte,
  value: number,
): Promise<Uint8Array | undefined> {
  const got = await runner.outcome(withByte(world, byte, value), stimulus);
  const isAlike =
    got?.status === 'ran' && got.action === before.action && got.packet.length === before.packet.length;
  return isAlike ? got.packet : undefined;
}

function bytesOf({ map, entry, size }: { map: string; entry: number; size: number }): Byte[] {
  return Array.from({ length: size }, (_, at) => ({ map, entry, at }));
}

function valueAt({ maps = {} }: World, { map, entry, at }: Byte): number {
  return maps[map]![entry]!.value[at]!;
}

function withByte(world: World, { map, entry, at }: Byte, value: number): World {
  const entries = world.maps![map]!.map((one, index) =>
    index === entry ? { ...one, value: one.value.with(at, value) } : one,
  );
  return { ...world, maps: { ...world.maps, [map]: entries } };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function differsOnlyInSums(before: Uint8Array, now: Uint8Array): boolean {
  const fields = checksumFields(before);
  return before.every((byte, at) => now[at] === byte || fields.some(({ from, to }) => at >= from && at < to));
}

function headersOf(packet: Uint8Array): HeaderList {
  const headers = new HeaderList();
  verifyChecksums(packet, 0, packet.length, headers);
  return headers;
}

function hasWrongSum(packet: Uint8Array): boolean {
  const { count, status } = headersOf(packet);
  return status.subarray(0, count).some((one) => one === CHECKSUM.bad || one === CHECKSUM.illegal);
}

/** Its headers, and whether they can be read. */
function shapeOf(packet: Uint8Array): string {
  const { count, kind, flags } = headersOf(packet);
  const broken = HEADER_FLAG.cut | HEADER_FLAG.impossible;
  return Array.from({ length: count }, (_, row) => `${kind[row]} ${flags[row]! & broken}`).join();
}
