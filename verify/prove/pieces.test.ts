/** Paths of TC frames that lie in pieces: confirmed by such a frame, or by none, where a path does not say what such a frame does. */
import { expect, it } from 'vitest';
import { ELSEWHERE } from '../../sim/ebpf/symbolic/inputs.ts';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { assumptionsOf } from './assumptions.ts';
import { confirmPath, type FollowedPaths, followPaths, type ProvedPath } from './paths.ts';
import { frame, programOf } from './test-support/asking-programs.ts';

const LIMITS = { shortest: 0, longest: 40, mostMetadata: 0 };
const END = 'r0 = 0\nexit\nout:\nr0 = 2\nexit';

async function follow(text: string): Promise<FollowedPaths> {
  const program = programOf('test', { text: `${text}\n${END}`, hook: 'tc-ingress' });
  return followPaths(program, { solver: NO_SOLVER, limits: LIMITS });
}

/** The path that ends with 0, of a frame in pieces. */
function inPieces({ inputs, paths, confirmer }: FollowedPaths): ProvedPath {
  const main = paths.find(
    ({ state }) => state.end?.kind === 'exit' && state.knowledge.only(state.end.action) === 0n,
  )!;
  const { pool } = inputs;
  const state = main.state.copy();
  state.end = main.state.end;
  const pieces = pool.unknown(1, ELSEWHERE.inPieces.name);
  state.knowledge.add(pieces, undefined);
  state.values = new Map([...main.state.values!, [pieces, 1n]]);
  return confirmPath(inputs, state, confirmer, () => true);
}

it('are taken by frames in pieces where what lies between data and data_end does not matter', async () => {
  const followed = await follow('r1 = *(u32 *)(r1 + 0)\nif r1 < 20 goto out');
  const path = inPieces(followed);
  expect([path.confirmed, path.reason, path.witness?.stimulus.skb]).toEqual([
    true,
    undefined,
    { linear: 14 },
  ]);
  const frames = (states: Parameters<typeof assumptionsOf>[1]): string =>
    assumptionsOf(followed.inputs, states, [], [])[0]!;
  expect(frames([path.state])).toBe(
    'frames have 14 to 40 bytes, linear, or with the Ethernet header alone linear for slices',
  );
  expect(frames(followed.paths.map(({ state }) => state))).toBe(
    'frames have 14 to 40 bytes, all of them linear',
  );
});

it('are taken by none, and doubt nothing, where it does', async () => {
  const followed = await follow(frame(20, 'tc-ingress'));
  expect(followed.paths.every(({ confirmed }) => confirmed)).toBe(true);
  expect(inPieces(followed)).toMatchObject({
    witness: undefined,
    confirmed: false,
    reason: 'only frames that do not lie in one piece go this way',
  });
});
