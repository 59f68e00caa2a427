/** Frames beyond the limit of a proof of two builds: what only they show, and what is said of them where nothing can be. */
import { expect, it } from 'vitest';
import { NO_SOLVER } from '../../../sim/ebpf/symbolic/solver.ts';
import { createWasmEngine } from '../../../sim/engines/wasm.ts';
import type { Hook } from '../../../sim/runtime/actions.ts';
import { END, frame, programOf } from '../test-support/asking-programs.ts';
import { type AgainstProof, proveAgainst } from './against.ts';
import { confirmSuspects } from './confirm-suspects.ts';

const OPTIONS = { solver: NO_SOLVER, limits: { shortest: 0, longest: 64, mostMetadata: 0 } };

const proofOf = (old: string, next: string, hook: Hook = 'xdp', more: object = {}): Promise<AgainstProof> =>
  proveAgainst(
    { old: programOf('old', { text: old, hook }), new: programOf('new', { text: next, hook }) },
    { ...OPTIONS, ...more },
  );

const said = ({ isEqual, longest, longer, suspects }: AgainstProof): object => ({
  ...{ isEqual, longest, longer },
  lengths: suspects.map(({ stimulus }) => stimulus.packet.length),
});

it('are followed as far as the kernel gives them to a program', async () => {
  const writes = `${frame(20)}\n*(u8 *)(r7 + 15) = 1\n${END}`;
  const others = `${frame(20)}\nr2 = r7\nr2 += 15\n*(u8 *)(r2 + 0) = 1\n${END}`;
  const equal = { isEqual: true, longer: undefined, lengths: [] };
  expect(said(await proofOf(writes, others))).toEqual({ ...equal, longest: 3520 });
  expect(said(await proofOf(writes, others, 'xdp', { longer: false }))).toEqual({ ...equal, longest: 64 });
  const passes = ['r0 = 0\nexit', 'r0 = 7\nr0 -= 7\nexit'] as const;
  expect(said(await proofOf(...passes, 'tc-ingress'))).toEqual({ ...equal, longest: 65_535 });
});

it('tell builds apart by what they return, by what they write, and by what the second build alone looks at', async () => {
  const drops = (bytes: number): string => `${frame(bytes)}\nr0 = 3\nexit\nout:\nr0 = 2\nexit`;
  const always = 'r0 = 2\nexit';
  const writes = (byte: number): string =>
    `${frame(20)}\nr1 = r8\nr1 -= r7\nr2 = 9\nif r1 < 700 goto ok\nr2 = ${byte}\nok:\n*(u8 *)(r7 + 15) = r2\n${END}`;
  const pairs = [
    [drops(1000), drops(1001)],
    [always, drops(300)],
    [writes(9), writes(8)],
  ] as const;
  const engine = createWasmEngine();
  for (const [old, next] of pairs) {
    const proof = await proofOf(old, next);
    expect(proof).toMatchObject({
      isEqual: true,
      longest: 64,
      longer: expect.stringContaining('may differ'),
    });
    const pair = { old: programOf('old', { text: old }), new: programOf('new', { text: next }) };
    const { classes } = await confirmSuspects(pair, proof.suspects, { engine, shrinkSeconds: 1 });
    expect(classes.length).toBeGreaterThan(0);
  }
});

it('are named where they could not be followed: what is known of shorter ones stays', async () => {
  const reads = `${frame(20)}
    r3 = r8
    r3 -= r7
    r3 -= 1
    r3 &= 4095
    r4 = r7
    r4 += r3
    r5 = r4
    r5 += 1
    if r5 > r8 goto out
    r1 = *(u8 *)(r4 + 0)
    if r1 == 7 goto out
    ${END}`;
  const proof = await proofOf(reads, `r9 = 1\n${reads}`);
  expect(said(proof)).toMatchObject({ isEqual: true, longest: 64, lengths: [] });
  expect(proof.longer).toContain('an address or a size');
});
