/** Reads damaged inputs, one after the other; its parent notices when it does not come back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFailure } from '../../cli/failure.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { kindsNamed } from './input-kinds.ts';
import type { InputKind } from './kinds/input-kind.ts';

export interface InputTask {
  readonly seed: string;
  /** Kinds with this in their names. */
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  readonly scratch: string;
}

/** How many inputs of a kind were taken, and how many refused. */
export interface KindCount {
  taken: number;
  refused: number;
}

export type InputNews =
  /** This one is being read. */
  | { readonly at: number; readonly kind: string }
  | { readonly crash: string; readonly at: number; readonly kind: string }
  | { readonly slow: string; readonly at: number; readonly kind: string }
  | { readonly counts: Readonly<Record<string, KindCount>> };

/** Inputs between two signs of life, or milliseconds. */
const BETWEEN = 64;
const SILENCE = 1000;
/** Seconds of processor time that no input of a few kilobytes needs. */
const LONG = 10;

const task = JSON.parse(process.argv[2]!) as InputTask;
const seed = seedFromText(task.seed);
const random = new Random();
const kinds = kindsNamed(task.kind).flatMap((kind) => new Array<InputKind>(kind.share).fill(kind));
const counts: Record<string, KindCount> = {};

const say = (news: InputNews): Promise<void> =>
  new Promise((resolve) => process.send!(news, undefined, {}, () => resolve()));
// What escapes from a mutated module's timers and promises is the module's own.
process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});

let said = 0;
for (let index = task.from; index < task.to; index++) {
  random.start(seed, index);
  const kind = kinds[random.below(kinds.length)]!;
  const input = kind.seeds[random.below(kind.seeds.length)]!;
  const other = kind.seeds[random.below(kind.seeds.length)]!;
  let bytes: Uint8Array;
  try {
    bytes = kind.damage(random, input, other);
  } catch (error) {
    // The attack's own fault; the handler above would hide it.
    console.error(kind.name, error);
    process.exit(70);
  }
  if (index % BETWEEN === 0 || performance.now() - said > SILENCE) {
    said = performance.now();
    await say({ at: index, kind: kind.name });
  }
  counts[kind.name] ??= { taken: 0, refused: 0 };
  const started = process.cpuUsage();
  try {
    await kind.read(bytes, task.scratch);
    counts[kind.name]!.taken++;
  } catch (error) {
    if (toFailure(error) === undefined) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const crash = `${keep(kind, index, bytes)}: ${reason.split('\n').slice(0, 6).join(' | ')}`;
      await say({ crash, at: index, kind: kind.name });
    } else counts[kind.name]!.refused++;
  }
  const { user, system } = process.cpuUsage(started);
  const seconds = (user + system) / 1e6;
  if (seconds > LONG) {
    const slow = `${keep(kind, index, bytes)}: ${seconds.toFixed(1)} s`;
    await say({ slow, at: index, kind: kind.name });
  }
}
await say({ counts });
process.exit();

/** @returns the file in which an input can be looked at */
function keep(kind: InputKind, index: number, bytes: Uint8Array): string {
  const file = join(task.scratch, `input-${index}.${kind.name.replaceAll(/\W+/g, '-')}`);
  writeFileSync(file, bytes);
  return file;
}
