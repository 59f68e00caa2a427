/** The way of a frame through a device: which functions it meets, at which hooks. */
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program, ProgramEntry } from '../../sim/runtime/program.ts';
import type { BpfObject, BpfProgram } from '../libbpf/object.ts';
import { type Dispatcher, NOBODY, type Turn } from './dispatcher.ts';

/** Helpers after which an XDP frame can turn up elsewhere (linux/bpf.h): tail_call, redirect, redirect_map. */
const REDIRECTING: readonly number[] = [12, 23, 51];

/** The way of the frames of one entry. */
export interface FramePath {
  readonly hook: Hook;
  /** The XDP function that frames meet first; undefined: none. */
  readonly xdp: BpfProgram | undefined;
  /** Can that one send frames elsewhere? */
  readonly redirects: boolean;
  /** To other CPUs, too? Those hand them to the stack, and so they come out like frames that are passed. */
  readonly redirectsToCpus: boolean;
  readonly turn: Turn;
}

/** Can the program under test be put on the devices as it is? Otherwise a dispatcher calls its functions. */
export function needsDispatcher(program: Program): boolean {
  return program.entries.some((entry) => entry.hook !== 'xdp');
}

/**
 * The path of each entry.
 * @param loaded the functions that `singleFunctions` named, in that order: so the dispatcher, where there is one, knows them
 */
export function framePathsOf(entries: readonly ProgramEntry[], loaded: BpfObject): FramePath[] {
  const { programs, maps } = loaded;
  const cpus = maps.some((map) => map.definition.type === 'CPUMAP');
  const numberOf = (name: string): number => programs.findIndex((program) => program.name === name);
  return entries.map(({ function: name, hook, after }) => {
    const first = hook === 'xdp' ? name : after;
    const xdp = first === undefined ? undefined : programs[numberOf(first)];
    const redirects = xdp !== undefined && REDIRECTING.some((helper) => xdp.helpers.has(helper));
    return {
      hook,
      xdp,
      redirects,
      redirectsToCpus: redirects && cpus,
      turn: {
        xdp: first === undefined ? NOBODY : numberOf(first),
        ingress: hook === 'tc-ingress' ? numberOf(name) : NOBODY,
        egress: hook === 'tc-egress' ? numberOf(name) : NOBODY,
      },
    };
  });
}

/** Tells the dispatcher the programs by their numbers. */
export function fillDispatcher(dispatcher: Dispatcher, loaded: readonly BpfProgram[]): void {
  for (const [number, { hook, fd }] of loaded.entries()) {
    dispatcher.put(number, hook === 'xdp' ? 'xdp' : 'tc', fd);
  }
}
