/**
 * Where inputs may lead a program, and where certainly none does: for coverage, which asks of packets only what
 * packets can do.
 *
 * The analysis tells many paths apart here, as the kernel's verifier does, and takes `.rodata` for what it is. It knows
 * nothing of the kernel that the machine does not know: what it calls impossible is so on every run.
 */

import type { BpfProgram } from '../bpf-object.ts';
import { programLayout } from '../context/program-layout.ts';
import { helperAt } from '../helpers/helper-at.ts';
import type { Machine } from '../machine.ts';
import { analyse, type ProgramFacts } from './analysis.ts';
import { frozenData } from './frozen-data.ts';

export { WAY } from './analysis.ts';

export type Reach = Pick<ProgramFacts, 'reached' | 'ways' | 'readsUnwritten'>;

/** Paths that are told apart at each place. */
const PATHS = 48;

/** By program, then by what it was looked at with; sessions of the same object come by the thousand. */
const known = new WeakMap<BpfProgram, Map<string, Reach>>();

export function reachOf(
  machine: Pick<Machine, 'object' | 'world'>,
  program: BpfProgram,
  hook: 'xdp' | 'tc',
): Reach {
  const { object } = machine;
  const frozen = frozenData(machine);
  const name = [hook, ...object.maps.map((_, index) => frozen(index)?.join() ?? '')].join(' ');
  let byName = known.get(program);
  if (byName === undefined) {
    byName = new Map();
    known.set(program, byName);
  }
  let reach = byName.get(name);
  if (reach === undefined) {
    const { reached, ways, readsUnwritten } = analyse({
      program,
      maps: object.maps,
      layout: programLayout(hook, program),
      helperAt: (slot) => helperAt(object, program, slot),
      enteredWith: 'context',
      frozen,
      paths: PATHS,
    });
    reach = { reached, ways, readsUnwritten };
    byName.set(name, reach);
  }
  return reach;
}
