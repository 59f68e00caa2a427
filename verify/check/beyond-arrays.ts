/**
 * Elements that an array never has, found in the program's text: every index that may be asked for lies at its end or beyond. Such a
 * lookup always finds nothing, such an update is always refused (`array_map_lookup_elem`, `array_map_update_elem`), and what stands
 * behind them never runs. So it is with slots of maps of targets, programs and events (`__xsk_map_lookup_elem`,
 * `__cpu_map_lookup_elem`, `__dev_map_lookup_elem`, `bpf_tail_call`, `__bpf_perf_event_output`).
 */
import { analyse, type BeyondArray } from '../../sim/ebpf/analysis/analysis.ts';
import { programLayout } from '../../sim/ebpf/context/program-layout.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckFinding } from './finding.ts';
import { isSameText, type ReachedProgram, reachedPrograms, type TailCalled } from './reached-programs.ts';

/** What comes of it. To delete an element of an array is refused whatever the index. */
const EFFECTS: ReadonlyMap<string, string> = new Map([
  ['bpf_map_lookup_elem', 'the lookup never finds anything'],
  ['bpf_map_lookup_percpu_elem', 'the lookup never finds anything'],
  ['bpf_map_update_elem', 'the update is always refused (-E2BIG)'],
  [
    'bpf_redirect_map',
    'the redirect never finds a target, and returns the action for a miss that its flags say',
  ],
  ['bpf_tail_call', 'the tail call never happens, and the program goes on behind it'],
  ['bpf_perf_event_output', 'the event is never sent (-E2BIG)'],
  ['bpf_perf_event_read', 'no counter is ever read (-E2BIG)'],
  ['bpf_perf_event_read_value', 'no counter is ever read (-E2BIG)'],
  ['bpf_skb_under_cgroup', 'the question is always refused (-E2BIG)'],
  ['bpf_current_task_under_cgroup', 'the question is always refused (-E2BIG)'],
]);

export function beyondArrays(program: Program, tailCalled: TailCalled = {}): CheckFinding[] {
  const found: CheckFinding[] = [];
  for (const reached of reachedPrograms(program, tailCalled)) {
    for (const finding of beyondIn(program, reached))
      if (!found.some((one) => isSameText(one, finding))) found.push(finding);
  }
  return found;
}

function beyondIn(program: Program, reached: ReachedProgram): CheckFinding[] {
  const { object, own, hook } = reached;
  const facts = analyse({
    program: own,
    maps: object.maps,
    layout: programLayout(hook === 'xdp' ? 'xdp' : 'tc', own),
    helperAt: (slot) => helperAt(object, own, slot),
    enteredWith: 'context',
  });
  return [...facts.beyond].flatMap(([slot, one]) => {
    const name = helperAt(object, own, slot)?.name ?? '';
    const effect = EFFECTS.get(name);
    // Whoever loads it says how large such a map is.
    if (effect === undefined || object.maps[one.map]!.maxEntries === 0) return [];
    return [findingAt(program, reached, slot, `${name} ${asked(reached, one)}: ${effect}`)];
  });
}

function asked({ object }: ReachedProgram, { map: index, least }: BeyondArray): string {
  const { name, maxEntries } = object.maps[index]!;
  const elements = maxEntries === 1 ? 'one element, 0' : `${maxEntries} elements, 0 to ${maxEntries - 1}`;
  return `asks ${name} for element ${least} or one behind it, and it has ${elements}`;
}

function findingAt(program: Program, { own }: ReachedProgram, slot: number, says: string): CheckFinding {
  const source = sourceAt(own, slot);
  const hasLine = source !== undefined && source.line !== 0;
  const isEntry = program.entries.some((one) => one.function === own.function);
  const where = isEntry ? '' : `in ${own.function}, which it tail-calls, `;
  return {
    invariant: 'lookup/beyond-array',
    severity: 'warning',
    summary: `${program.name}: lookup/beyond-array: ${where}${says}${source === undefined ? ` (instruction ${slot})` : ''}`,
    confirmedBy: [],
    ...(hasLine ? { source: { file: source.file, line: source.line } } : {}),
    ...(source === undefined || source.text === ''
      ? {}
      : { details: [`${source.file}:${source.line}: ${source.text.trim()}`] }),
  };
}
