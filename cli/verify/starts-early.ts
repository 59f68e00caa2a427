/**
 * How many worker processes does this command line need? Asked before anything of the command is loaded, so that they can
 * start meanwhile: the answer may be wrong (`runs-here.ts` knows), and then one is started later, or for nothing.
 */
import { availableParallelism } from 'node:os';
import { usualWorkers } from './worker-count.ts';

/** Like `MOST_PACKETS` there. */
const MOST_PACKETS = 20_000;

const NEEDS_PROCESS = /^--(?:workers|time|live|object|packets|world|map|max-entries|aim)\b/;

/**
 * @param args behind `verify`
 * @returns 0 where the main process does the work itself
 */
export function workersToStart(args: readonly string[]): number {
  if (!needsProcess(args)) return 0;
  const stated = countIn(args, '--workers');
  if (stated !== undefined) return Math.min(stated, availableParallelism());
  return usualWorkers({ runs: countIn(args, '--runs') ?? 0 });
}

/** The number behind an option, as `parseCount` reads it; undefined where there is none, or something else. */
function countIn(args: readonly string[], option: string): number | undefined {
  const at = args.findIndex((arg) => arg === option || arg.startsWith(`${option}=`));
  if (at < 0) return undefined;
  const text = args[at] === option ? (args[at + 1] ?? '') : args[at]!.slice(option.length + 1);
  const match = /^(\d[\d_]*)([kKmM]?)$/.exec(text);
  if (match === null) return undefined;
  const factor = { '': 1, k: 1e3, m: 1e6 }[match[2]!.toLowerCase()] ?? 1;
  const value = Number(match[1]!.replaceAll('_', '')) * factor;
  return value >= 1 ? value : undefined;
}

function needsProcess(args: readonly string[]): boolean {
  if (args.some((arg) => NEEDS_PROCESS.test(arg) || arg.includes('veth'))) return true;
  // A built-in program has a plain name, and where there is none all are meant.
  if (args[0] === undefined || !/^[a-z]\w*$/.test(args[0])) return true;
  if (args.some((arg) => arg.startsWith('--runs'))) {
    const runs = countIn(args, '--runs');
    return runs === undefined || runs > MOST_PACKETS;
  }
  return args[1] !== undefined && !args[1].startsWith('-');
}
