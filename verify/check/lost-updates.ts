/**
 * Counters that two CPUs can lose, found in the program's text: a load from a shared map's value, an addition or a subtraction, and a
 * store to the same place (`counter-flow.ts`), without an atomic operation or a lock. The packets of a test run on one CPU never show it.
 */

import { analyse } from '../../sim/ebpf/analysis/analysis.ts';
import type { BpfMap, BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { programLayout } from '../../sim/ebpf/context/program-layout.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { madeName, templateOf } from '../../sim/ebpf/made-maps.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { storedSums } from './counter-flow.ts';
import type { CheckFinding } from './finding.ts';
import { isSameText, reachedPrograms, type TailCalled } from './reached-programs.ts';

/** Maps whose values several CPUs share. */
export const SHARED: ReadonlySet<BpfMap['type']> = new Set(['ARRAY', 'HASH', 'LRU_HASH', 'LPM_TRIE']);

/** Of the entries, and of what they can tail-call: initialisers of the object and stated worlds say what that is. */
export function lostUpdates(program: Program, tailCalled: TailCalled = {}): CheckFinding[] {
  const found: CheckFinding[] = [];
  for (const { object, own, hook } of reachedPrograms(program, tailCalled)) {
    for (const finding of lostIn(program, object, own, hook))
      if (!found.some((one) => isSameText(one, finding))) found.push(finding);
  }
  return found;
}

/** Of `struct xdp_md`. */
const RX_QUEUE_INDEX = 16;
const OF_QUEUE =
  'is loaded, added to and stored, without an atomic operation: two CPUs are there at once only where several devices run the program, or where it does not run in the driver, as one CPU at a time serves a receive queue';
const LATE_LOCK = 'is loaded before the lock is taken, and stored with what was added under it';

function lostIn(program: Program, object: BpfObject, own: BpfProgram, hook: Hook): CheckFinding[] {
  const { maps, inside } = withInnerMaps(object);
  const facts = analyse({
    program: own,
    maps,
    inside,
    layout: programLayout(hook === 'xdp' ? 'xdp' : 'tc', own),
    helperAt: (slot) => helperAt(object, own, slot),
    enteredWith: 'context',
  });
  // Behind a CPU map the frame is no queue's any more, and TC may run on another CPU than the one that took it from the queue.
  const queueAt = hook === 'xdp' && own.behindRedirect === undefined ? RX_QUEUE_INDEX : undefined;
  return own.subprograms.flatMap((subprogram) =>
    storedSums(own, subprogram, facts.accesses, queueAt).flatMap(
      ({ slot, map: index, isLocked, isOfQueue }) => {
        const map = maps[index];
        if (map === undefined || !SHARED.has(map.type)) return [];
        if (isOfQueue) return [{ ...lostUpdateAt(program, own, slot, map, OF_QUEUE), severity: 'info' }];
        return [lostUpdateAt(program, own, slot, map, isLocked ? LATE_LOCK : undefined)];
      },
    ),
  );
}

/** With one more map for each map of maps: those inside are all alike. */
function withInnerMaps({ maps }: BpfObject): {
  readonly maps: readonly BpfMap[];
  readonly inside: (outer: number) => number | undefined;
} {
  const inner = new Map<number, BpfMap>();
  for (const [index, { name, inner: template }] of maps.entries())
    if (template !== undefined) inner.set(index, { ...template, name: madeName(name, 0) });
  const outers = [...inner.keys()];
  return {
    maps: [...maps, ...inner.values()],
    inside: (outer) => (inner.has(outer) ? maps.length + outers.indexOf(outer) : undefined),
  };
}

/** @param how what becomes of the value */
export function lostUpdateAt(
  program: Program,
  own: BpfProgram,
  slot: number,
  map: BpfMap,
  how: string = 'is loaded, added to and stored, without an atomic operation',
): CheckFinding {
  const source = sourceAt(own, slot);
  const isEntry = program.entries.some((one) => one.function === own.function);
  const where = isEntry ? '' : `in ${own.function}, which it tail-calls, `;
  const outer = templateOf(map.name);
  const holder = outer === undefined ? `map ${map.name}` : `a map in ${outer}`;
  const what = map.global === undefined ? `a value of ${holder}` : `a global variable (${map.name})`;
  const place = source === undefined ? ` (instruction ${slot})` : '';
  return {
    invariant: 'counter/lost-update',
    severity: 'warning',
    summary: `${program.name}: counter/lost-update: ${where}${what} ${how}${place}`,
    confirmedBy: [],
    ...(source === undefined || source.line === 0
      ? {}
      : { source: { file: source.file, line: source.line } }),
    ...(source === undefined || source.text === ''
      ? {}
      : { details: [`${source.file}:${source.line}: ${source.text.trim()}`] }),
  };
}
