/** Reads mutated inputs, one after the other; its parent notices when it does not come back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toFailure } from '../../cli/failure.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { INPUT_KINDS, type InputKind } from './input-kinds.ts';
import { mutated } from './mutation.ts';

export interface InputTask {
  readonly seed: string;
  readonly from: number;
  readonly to: number;
  readonly scratch: string;
}

export type InputNews =
  /** This one is being read. */
  | { readonly at: number; readonly kind: string }
  | { readonly crash: string; readonly at: number; readonly kind: string }
  | { readonly refused: number; readonly taken: number };

const task = JSON.parse(process.argv[2]!) as InputTask;
const seed = seedFromText(task.seed);
const random = new Random();
const kinds = INPUT_KINDS.flatMap((kind) => new Array<InputKind>(kind.share).fill(kind));
let refused = 0;
let taken = 0;

const say = (news: InputNews): Promise<void> =>
  new Promise((resolve) => process.send!(news, undefined, {}, () => resolve()));
// What escapes from a mutated module's timers and promises is the module's own.
process.on('unhandledRejection', () => {});
process.on('uncaughtException', () => {});

for (let index = task.from; index < task.to; index++) {
  random.start(seed, index);
  const kind = kinds[random.below(kinds.length)]!;
  const input = kind.seeds[random.below(kind.seeds.length)]!;
  const other = kind.seeds[random.below(kind.seeds.length)]!;
  const bytes = mutated(random, input, other, kind.isText);
  if (index % 64 === 0) await say({ at: index, kind: kind.name });
  try {
    await kind.read(bytes, task.scratch);
    taken++;
  } catch (error) {
    if (toFailure(error) === undefined) {
      const file = join(task.scratch, `crash-${index}.${kind.name.replaceAll(/\W+/g, '-')}`);
      writeFileSync(file, bytes);
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      await say({
        crash: `${file}: ${reason.split('\n').slice(0, 4).join(' | ')}`,
        at: index,
        kind: kind.name,
      });
    } else refused++;
  }
}
await say({ refused, taken });
process.exit();
