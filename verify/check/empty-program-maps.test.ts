import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { check } from './check.ts';
import type { CheckedProgram } from './finding.ts';

const leave = (map: string): string => `r1 = r6
    r2 = map[${map}]
    r3 = 2
    call bpf_tail_call`;

/** Shows each packet to whoever put a program into its hook, and goes on; then leaves it to the next stage. */
const program: Program = {
  name: 'p',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: `r6 = r1\n${leave('hook')}\n${leave('stages')}\nr0 = 2\nexit` }, [
    testMap('hook', 'PROG_ARRAY', { keySize: 4, valueSize: 4, maxEntries: 5 }),
    testMap('stages', 'PROG_ARRAY', { keySize: 4, valueSize: 4, maxEntries: 5 }),
  ]),
};

const checkedIn = (...worlds: World[]): Promise<CheckedProgram> =>
  check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'first', runs: 200 },
    ...{ effort: 100_000, shrinkSeconds: 600, sweeps: false },
    ...(worlds.length === 0 ? {} : { worlds: worlds.map((world, at) => ({ name: `world ${at}`, world })) }),
  });

const BOTH: World = { slots: { hook: [], stages: [] } };

describe('maps of programs', () => {
  it('that the world states as empty are meant to be', async () => {
    const { verdict, unreached } = await checkedIn(BOTH);
    expect(unreached).toEqual([]);
    expect(verdict).toBe('pass');
  });

  it.each<[string, World[], string[]]>([
    ['nobody says anything of', [], ['hook', 'stages']],
    ['the world says nothing of', [{ slots: { hook: [] } }], ['stages']],
    ['one of the worlds says nothing of', [BOTH, { slots: { stages: [] } }], ['hook']],
  ])('that %s are gaps', async (_, worlds, named) => {
    const { verdict, reason, unreached } = await checkedIn(...worlds);
    expect(verdict).toBe('incomplete');
    expect(unreached.map(({ programMap }) => programMap)).toEqual(named);
    for (const name of named) expect(reason).toContain(`tail calls found no program in map ${name}`);
  });
});
