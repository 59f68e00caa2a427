/**
 * The machine's helpers against the kernel's: programs whose packets choose the helper and its arguments, run by
 * both machines and by the kernel, and compared in actions, bytes, metadata, printed lines and every result.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { SOURCE_ROOT } from '../bpf/compile.ts';
import { createEngine } from '../cli/engines.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import {
  digestOf,
  helperPackets,
  RECORDED_PACKETS,
  RECORDINGS,
  type Recorded,
  recordedPrograms,
} from '../sim/engines/test-support/recordings.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { amount } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = amount(1000, 20_000);
const CHECKSUMS = 'csum_diff.bpf.c';
/**
 * Whether the kernel has memory for a timer at this moment is chance (6.18, `bpf_timer_init` gives -ENOMEM under load):
 * timers.test.ts compares timers of programs that cope with it.
 */
const TIMERS = 'timers.bpf.c';
/** Kernel functions on two dynptrs came with 6.16, on strings with 6.17, resilient locks with 6.15. */
const YOUNG: readonly string[] = ['socket_maps.bpf.c', 'strings.bpf.c'];
/** In `kernel-tests/frames/`; `bpf_xdp_pull_data` came with 6.18. */
const LONG_FRAMES = 'fragments.bpf.c';
/** These need a newer kernel than the others do. */
const APART: ReadonlySet<string> = new Set([CHECKSUMS, TIMERS, LONG_FRAMES, ...YOUNG]);
const SOURCES = readdirSync(join(SOURCE_ROOT, 'kernel-tests/helpers')).filter((name) =>
  name.endsWith('.bpf.c'),
);

/** XDPSIM_RECORD=1: what this kernel does becomes what the unit tests ask of the machines. */
const RECORDS = process.env.XDPSIM_RECORD !== undefined;

function writeRecording(name: string, object: Uint8Array, lines: readonly string[]): void {
  const path = (ending: string): string => fileURLToPath(new URL(name.replace('.bpf.c', ending), RECORDINGS));
  const kernel = release().split('.').slice(0, 2).join('.');
  writeFileSync(path('.o'), object);
  writeFileSync(path('.txt'), `${kernel}\n${lines.map(digestOf).join('')}\n`);
}

async function agree(source: string, folder: string = 'helpers'): Promise<void> {
  const program = compileProgram(`kernel-tests/${folder}/${source}`);
  await expectAgreement(program, helperPackets(program, PACKETS));
  if (!RECORDS) return;
  const lines = await expectAgreement(program, helperPackets(program, RECORDED_PACKETS));
  writeRecording(source, program.object!, lines);
}

async function repeats({ program, digests }: Recorded): Promise<void> {
  const lines = await outcomesOf(createTestRunEngine(), program, helperPackets(program, RECORDED_PACKETS));
  const first = lines.findIndex((line, index) => digestOf(line) !== digests[index]);
  expect(
    lines[first],
    'record anew: XDPSIM_RECORD=1 npx vitest run kernel-tests/helpers.test.ts',
  ).toBeUndefined();
}

// 6.1 lacks kernel functions on dynptrs and flags of bpf_skb_adjust_room, and allows 32 bytes of metadata.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.12'], () => {
  for (const source of SOURCES.filter((name) => !APART.has(name))) it(source, () => agree(source));
  it(`${TIMERS}, machine with machine`, async () => {
    const program = compileProgram(`kernel-tests/helpers/${TIMERS}`);
    const packets = helperPackets(program, PACKETS);
    const interpreted = await outcomesOf(createEngine('vm'), program, packets);
    expect(await outcomesOf(createEngine('wasm'), program, packets)).toEqual(interpreted);
  });
  if (!RECORDS)
    for (const recorded of recordedPrograms().filter(({ program: { name } }) => !APART.has(name)))
      it(`${recorded.program.name}, as recorded`, () => repeats(recorded));
});

// Kernels before 6.13 do not fold what bpf_csum_diff gives.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.13'], () => {
  it(CHECKSUMS, () => agree(CHECKSUMS));
});

describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.17'], () => {
  for (const source of YOUNG) it(source, () => agree(source));
});

describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.18'], () => {
  it(LONG_FRAMES, () => agree(LONG_FRAMES, 'frames'));
});
