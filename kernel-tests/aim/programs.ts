/** Twenty-three programs, each with one line that random packets do not reach: behind constants, maps, states, programs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Sequence } from '../../verify/guide/traced-runs.ts';

export interface GuardedProgram {
  /** The C file's stem, and the function that packets are given to. */
  readonly name: string;
  readonly hook: Hook;
  /** What the guarded line returns, and nothing else. */
  readonly reached: number;
}

const XDP_TX = 3;
const TC_ACT_STOLEN = 4;

const xdp = (name: string): GuardedProgram => ({ name, hook: 'xdp', reached: XDP_TX });

export const GUARDED_PROGRAMS: readonly GuardedProgram[] = [
  xdp('port'),
  xdp('cookie'),
  xdp('arithmetic'),
  xdp('vlan'),
  xdp('options'),
  xdp('tlv'),
  xdp('checksummed'),
  xdp('composite'),
  xdp('nested'),
  xdp('prefix'),
  xdp('knock'),
  xdp('handshake'),
  xdp('counted'),
  xdp('tail'),
  xdp('forward'),
  xdp('configured'),
  xdp('filled'),
  xdp('elements'),
  xdp('tunnel'),
  { name: 'loaded', hook: 'tc-ingress', reached: TC_ACT_STOLEN },
  xdp('inner'),
  xdp('clocked'),
  xdp('made'),
];

/** Compiles it; nothing is known of it but its object, as of a stranger's. */
export function buildGuarded({ name, hook }: GuardedProgram): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-aim-'));
  try {
    const object = join(scratch, `${name}.o`);
    compileBpf(`kernel-tests/aim/${name}.bpf.c`, object);
    return { name, entries: [{ function: name, hook }], object: new Uint8Array(readFileSync(object)) };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The first sequence that reaches the guarded line in the compiled program. */
export async function firstThatReaches(
  program: Program,
  { reached }: GuardedProgram,
  sequences: readonly Sequence[],
): Promise<Sequence | undefined> {
  for (const sequence of sequences) {
    const session = await createWasmEngine().open(program, sequence.world);
    const input = new PacketBatch(sequence.stimuli.length);
    for (const stimulus of sequence.stimuli) input.push(stimulus);
    const output = new OutcomeBatch(sequence.stimuli.length);
    await session.run(input, output);
    await session.close();
    if (output.action.subarray(0, output.count).includes(reached)) return sequence;
  }
  return undefined;
}
