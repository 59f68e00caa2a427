/**
 * The symbolic reader in lockstep with the interpreter on programs that call helpers with all sorts of arguments
 * (`kernel-tests/helpers/*.bpf.c`), whose outcomes are compared with the kernel's elsewhere. What the reader does not follow it
 * has to name; what it follows has to be what the machine does.
 */
import { describe, expect, it } from 'vitest';
import { HELPERS } from '../ebpf/helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../ebpf/helpers/kernel-functions.ts';
import { isStated } from '../ebpf/symbolic/helper-calls.ts';
import { lockstep } from '../ebpf/test-support/lockstep.ts';
import type { Program } from '../runtime/program.ts';
import { openMachine } from './machine-program.ts';
import { helperStimuli, recordedPrograms } from './test-support/recordings.ts';

const PACKETS = 30;
const MOST_STEPS = 4000;
/** Frames in several buffers: a reader of linear frames has no place in it. */
const LONG = 'fragments.bpf.c';

/** How many of the packets the reader follows to their end, and why it leaves the others. */
interface Followed {
  readonly whole: number;
  readonly left: ReadonlyMap<string, number>;
}

function follow(program: Program): Followed {
  const { machine, entries } = openMachine(program, {}, {});
  const left = new Map<string, number>();
  let whole = 0;
  for (const { packet, entry = 0 } of helperStimuli(entries.length, PACKETS)) {
    machine.reset();
    const { hook, program: index } = entries[entry]!;
    const run = lockstep({ machine, program: index, hook, packet, mostSteps: MOST_STEPS });
    expect(run.difference, `${program.name}, ${machine.object.programs[index]!.function}`).toBeUndefined();
    if (run.left === undefined) whole++;
    else left.set(run.left, (left.get(run.left) ?? 0) + 1);
  }
  return { whole, left };
}

/** What is not followed yet, in each program: everything else is, to its end. */
const NOT_FOLLOWED: Readonly<Record<string, readonly RegExp[]>> = {
  'bloom_filters.bpf.c': [/BLOOM_FILTER/],
  'held_values.bpf.c': [
    /an entry that is gone, whose memory|further updates of a map that the program walks/,
    /a prefix that is not there, below others/,
  ],
  'socket_maps.bpf.c': [/SOCKMAP/],
  'strings.bpf.c': [/^bpf_iter_bits_new$/],
  'xdp_bounds.bpf.c': [/grows by a number without bounds/],
};

describe('records of helpers', () => {
  it('call those exact whose effect is stated term by term, and no others unsupported', () => {
    const records = [...HELPERS.values(), ...KERNEL_FUNCTIONS.values()];
    const promised = records.filter(({ symbolic, name }) => symbolic === 'exact' && !isStated(name));
    const hidden = records.filter(({ symbolic, name }) => symbolic === 'unsupported' && isStated(name));
    expect([...promised, ...hidden].map(({ name }) => name)).toEqual([]);
  });
});

describe('paths of programs that call helpers', () => {
  for (const { program } of recordedPrograms()) {
    if (program.name === LONG) continue;
    it(`hold what the machine has, call by call: ${program.name}`, () => {
      const { whole, left } = follow(program);
      const known = NOT_FOLLOWED[program.name] ?? [];
      expect([...left.keys()].filter((reason) => !known.some((one) => one.test(reason)))).toEqual([]);
      if (known.length === 0) expect(whole).toBe(PACKETS);
    });
  }
});
