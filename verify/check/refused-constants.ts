/**
 * Constants of the loader that nobody can set. With the object's own values the verifier never looks at what stands behind
 * `if (enabled)`, and neither does a packet.
 */
import { basename } from 'node:path';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { globalText } from '../explain/map-text.ts';
import type { RefusedValue } from '../guide/possible-worlds.ts';
import { edgeId, TracedRuns } from '../guide/traced-runs.ts';
import type { CheckFinding } from './finding.ts';

/** Of the verifier's log, the lines that say what it did not accept. */
const LAST_LINES = 8;

/**
 * @param start the world in which guidance began
 * @param refused values that guidance had to leave out
 */
export function refusedConstants(
  program: Program,
  start: World,
  refused: readonly RefusedValue[],
  kernel: EngineName,
): CheckFinding[] {
  const runs = new TracedRuns(program);
  const ways = (world: World): Set<number> => new Set(runs.edges(world).map(edgeId));
  const own = ways(start);
  return refused.flatMap(({ variable, value, error }): CheckFinding[] => {
    // A bound that is out of all reason makes a loop too long for the verifier: nobody would set it.
    if (/\(E2BIG\)/.test(error.message)) return [];
    const opened = [...ways({ ...start, globals: { ...start.globals, [variable]: value } })];
    // What the machine does not take either has no ways.
    if (opened.length > 0 && opened.every((way) => own.has(way))) return [];
    const setting = `${variable} = ${globalText(program, variable, value)}`;
    return [
      {
        invariant: 'load/refused-constant',
        severity: 'warning',
        summary: `${program.name}: with ${setting} the kernel refuses it: ${error.message}`,
        confirmedBy: [kernel],
        details: lastLines(error.log ?? ''),
        ...placeOf(program, error.log ?? ''),
      },
    ];
  });
}

/** The last line of C that the verifier looked at; it names files without their folders. */
function placeOf({ object }: Program, log: string): Pick<CheckFinding, 'source'> {
  const [, name, number] = [...log.matchAll(/^; .* @ (\S+):(\d+)$/gm)].at(-1) ?? [];
  if (name === undefined || object === undefined) return {};
  const row = linkedObject(object)
    .programs.flatMap(({ lineInfo }) => lineInfo)
    .find(({ file, line }) => basename(file) === name && line === Number(number));
  return row === undefined ? {} : { source: { file: row.file, line: row.line } };
}

/** What the verifier said last, without its statistics. */
function lastLines(log: string): string[] {
  const lines = log
    .trimEnd()
    .split('\n')
    .filter((line) => !/^processed \d+ insns|^verification time|^stack depth|^-- END|^libbpf:/.test(line));
  return lines.slice(-LAST_LINES);
}
