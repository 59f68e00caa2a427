/**
 * Which line of C decides that two builds treat a packet differently: for bytes, the line that wrote them last; for an
 * action, the branch where the two runs part for good.
 */
import type { SourceLine } from '../../sim/ebpf/bpf-object.ts';
import type { MapWrites } from '../../sim/ebpf/interpreter/map-writes.ts';
import { type CodePlace, keyOf, type PathBranch } from '../../sim/ebpf/interpreter/run-path.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Finding } from '../finding.ts';
import type { Outcome } from '../outcome.ts';
import { lastHunk } from './last-hunk.ts';
import type { PairMapDifference } from './map-pairs.ts';
import type { OutsideDifference } from './outside.ts';
import type { BuildPair, SeenRun } from './pair.ts';

export interface DecidingPlace extends CodePlace {
  /** What the line does about it. */
  readonly as: 'branch' | 'write' | 'result' | 'call' | 'stop';
}

export interface Decision {
  readonly old: DecidingPlace | undefined;
  readonly new: DecidingPlace | undefined;
  /** Lines that the packet came through and that the other source does not have. */
  readonly changed: { readonly old: readonly SourceLine[]; readonly new: readonly SourceLine[] };
}

export interface Difference {
  readonly part: Finding['part'];
  readonly expected: Outcome;
  readonly got: Outcome;
  readonly map?: PairMapDifference;
  readonly outside?: OutsideDifference;
}

type Both<T> = { readonly old: T; readonly new: T };

/** More lines tell nothing more. */
const MAX_CHANGED = 3;

export function decide(pair: BuildPair, runs: Both<SeenRun>, difference: Difference): Decision {
  const changed = { old: changedLines(pair, runs.old, 'old'), new: changedLines(pair, runs.new, 'new') };
  const own = (build: 'old' | 'new'): DecidingPlace | undefined =>
    writerOf(build, pair[build].entries[0]!.function, runs[build], difference);
  const { map } = difference;
  // A map that one build lacks: what the other does to it is all there is.
  if (map?.is === 'only in' || map?.is === 'other form') {
    return { old: undefined, new: undefined, [map.build]: own(map.build), changed };
  }
  const parting = partingOf(pair, runs, difference.part !== 'map');
  return { old: own('old') ?? parting.old, new: own('new') ?? parting.new, changed };
}

/** Two decisions at the same places are one class of packets. */
export function decisionKey({ old, new: next }: Decision): string {
  return `${placeKey(old)} / ${placeKey(next)}`;
}

function placeKey(place: DecidingPlace | undefined): string {
  if (place === undefined) return '?';
  const { source, program, instruction } = place;
  return source === undefined ? `${program}+${instruction}` : `${source.file}:${source.line}`;
}

/**
 * The last branch from which the runs went different ways; else where each set its result.
 * @param asksResult whether the result has a say in what differs: in what a map holds it has none
 */
function partingOf(
  pair: BuildPair,
  { old, new: next }: Both<SeenRun>,
  asksResult: boolean,
): Both<DecidingPlace | undefined> {
  const [oldTexts, newTexts] = [textsOf(pair.old), textsOf(pair.new)];
  const hunk = lastHunk(
    old.path.branches.map((branch) => branchKey(branch, newTexts)),
    next.path.branches.map((branch) => branchKey(branch, oldTexts)),
  );
  const result = ({ path }: SeenRun): DecidingPlace | undefined =>
    path.result === undefined || !asksResult ? undefined : { ...path.result, as: 'result' };
  if (hunk === undefined) return { old: result(old), new: result(next) };
  const at = (run: SeenRun, index: number): DecidingPlace | undefined => {
    const branch = run.path.branches[index];
    return branch === undefined ? result(run) : { ...branch, as: 'branch' };
  };
  return { old: at(old, hunk.a), new: at(next, hunk.b) };
}

/**
 * A branch with the way it went; without lines, by what is known of it. A line behind it that the other source does not
 * have is no other way: it is what was edited.
 */
function branchKey({ source, arm, instruction }: PathBranch, others: ReadonlySet<string>): string {
  if (source === undefined) return `#${instruction}`;
  const way = arm === undefined ? 'the end' : others.has(arm) ? arm : 'an edited line';
  return `${keyOf(source)} → ${way}`;
}

/**
 * Who made what differs, where that is more than a branch.
 * @param entry the function that was started: that of a run which was stopped is not known otherwise
 */
function writerOf(
  build: 'old' | 'new',
  entry: string,
  { path, writes }: SeenRun,
  { part, expected, got, map, outside }: Difference,
): DecidingPlace | undefined {
  const write = (place: CodePlace | undefined): DecidingPlace | undefined =>
    place === undefined ? undefined : { ...place, as: 'write' };
  const outcome = build === 'old' ? expected : got;
  switch (part) {
    case 'packet': {
      const range = differingRange(expected.packet, got.packet);
      const last = range === undefined ? undefined : writes.lastIn(range.from, range.to);
      const found = expected.packet.length === got.packet.length ? last : (writes.resize ?? last);
      if (found === undefined) return undefined;
      const { source, instruction } = found;
      return { program: path.result?.program ?? entry, instruction, source, as: 'write' };
    }
    case 'map': {
      return map === undefined ? undefined : write(mapWriteOf(build, path.mapWrites, map));
    }
    case 'skb':
      return write(path.contextWrite);
    case 'outside': {
      const place = outside?.places[build];
      return place === undefined ? undefined : { ...place, as: outside?.isStore === true ? 'write' : 'call' };
    }
    case 'redirect':
    case 'trace': {
      const wanted = part === 'redirect' ? /^bpf_(clone_)?redirect/ : /^bpf_trace_v?printk/;
      const call = [...path.calls].findLast(([name]) => wanted.test(name))?.[1];
      return call === undefined ? undefined : { ...call, as: 'call' };
    }
    case 'status': {
      const note = outcome.note;
      if (outcome.status === 'ran' || note?.instruction === undefined) return undefined;
      const source = note.source === undefined ? undefined : { ...note.source, column: 0, instruction: 0 };
      return { program: path.result?.program ?? entry, instruction: note.instruction, source, as: 'stop' };
    }
    default:
      return undefined;
  }
}

/** Who wrote last what of a map differs; of one that the other build does not have, who wrote to it last. */
function mapWriteOf(build: 'old' | 'new', writes: MapWrites, map: PairMapDifference): CodePlace | undefined {
  const name = map.map.split(': ')[0]!;
  switch (map.is) {
    case 'variable': {
      const range = differingRange(map.old, map.new);
      const at = map.offsets[build];
      return range === undefined ? undefined : writes.lastIn(name, at + range.from, at + range.to);
    }
    case 'entry': {
      const { expected, got } = map.difference;
      if (expected === undefined || got === undefined) return writes.lastIn(name);
      const range = differingRange(expected, got);
      return range === undefined ? writes.lastIn(name) : writes.lastIn(name, range.from, range.to);
    }
    default:
      return writes.lastIn(name);
  }
}

/** The first run of bytes that differ. */
function differingRange(
  a: Uint8Array,
  b: Uint8Array,
): { readonly from: number; readonly to: number } | undefined {
  const end = Math.min(a.length, b.length);
  let from = 0;
  while (from < end && a[from] === b[from]) from++;
  if (from === end) return undefined;
  let to = from + 1;
  while (to < end && a[to] !== b[to]) to++;
  return { from, to };
}

function changedLines(pair: BuildPair, { path }: SeenRun, build: 'old' | 'new'): SourceLine[] {
  const others = textsOf(build === 'old' ? pair.new : pair.old);
  // Without the texts of lines nothing can be told.
  if (others.size === 0) return [];
  const seen = new Map<string, SourceLine>();
  for (const line of path.lines) {
    const key = keyOf(line);
    // A function's head has code, too, and decides nothing.
    const isHead = line.instruction === 0;
    if (line.text !== '' && !isHead && !others.has(key) && !seen.has(key)) seen.set(key, line);
  }
  return [...seen.values()].slice(0, MAX_CHANGED);
}

const known = new WeakMap<Uint8Array, ReadonlySet<string>>();

/** The texts of all lines that an object has code of. */
function textsOf({ object }: Program): ReadonlySet<string> {
  if (object === undefined) return new Set();
  let texts = known.get(object);
  if (texts === undefined) {
    const lines = linkedObject(object).programs.flatMap((program) => program.lineInfo);
    texts = new Set(lines.filter(({ text }) => text !== '').map(keyOf));
    known.set(object, texts);
  }
  return texts;
}
