/**
 * Does this command line need a worker process? Asked before anything of the command is loaded, so that a worker can start
 * meanwhile: it may be wrong (`runs-here.ts` knows), and then one is started later, or for nothing.
 */

/** Like `MOST_PACKETS` there. */
const MOST_PACKETS = 20_000;

const NEEDS_PROCESS = /^--(?:workers|time|live|object|packets|world|map|max-entries|aim)\b/;

/** @param args behind `verify` */
export function startsEarly(args: readonly string[]): boolean {
  if (args.some((arg) => NEEDS_PROCESS.test(arg) || arg.includes('veth'))) return true;
  // A built-in program has a plain name, and where there is none all are meant.
  if (args[0] === undefined || !/^[a-z]\w*$/.test(args[0])) return true;
  const at = args.indexOf('--runs');
  if (at >= 0) return !(Number(args[at + 1]) <= MOST_PACKETS);
  return args[1] !== undefined && !args[1].startsWith('-');
}
