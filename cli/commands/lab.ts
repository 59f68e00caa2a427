/** `xdpsim lab`: a virtual network to try programs in. */
import type { Command } from 'commander';
import { registerInside } from '../lab/inside.ts';
import { registerLoading } from '../lab/loading.ts';
import { registerObserving } from '../lab/observing.ts';
import { registerLabRun } from '../lab/run-scenario.ts';
import { registerTopology } from '../lab/topology.ts';

export function registerLab(program: Command): void {
  const lab = program
    .command('lab')
    .description('a virtual network to try programs in: namespaces, veth pairs, programs, counters');
  registerTopology(lab);
  registerInside(lab);
  registerLoading(lab);
  registerObserving(lab);
  registerLabRun(lab);
}
