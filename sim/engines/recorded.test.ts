/** The machines' helpers against what Linux did; the suites in `kernel-tests/` ask the kernel itself. */
import { describe, expect, it } from 'vitest';
import { outcomesOf } from './test-support/outcomes-as-text.ts';
import { digestOf, helperPackets, RECORDED_PACKETS, recordedPrograms } from './test-support/recordings.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

describe.each(recordedPrograms())('what Linux $kernel did with $program.name', ({ program, digests }) => {
  it.each([createVmEngine(), createWasmEngine()])('does $name, packet by packet', async (engine) => {
    const lines = await outcomesOf(engine, program, helperPackets(program, RECORDED_PACKETS));
    const first = lines.findIndex((line, index) => digestOf(line) !== digests[index]);
    expect(lines[first], 'the first line that is another').toBeUndefined();
    expect(lines).toHaveLength(digests.length);
  });
});
