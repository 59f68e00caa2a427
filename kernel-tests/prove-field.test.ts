/**
 * What the paths of programs in the styles of the field ask for: prefixes, locks, queues, full ring
 * buffers, maps of maps, texts, frames that grow by what the input says.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Solver } from '../sim/ebpf/symbolic/solver.ts';
import { type FollowedPaths, followPaths } from '../verify/prove/paths.ts';
import { createZ3Solver, endZ3 } from '../verify/prove/z3-solver.ts';
import { buildFieldProgram, FIELD_PROGRAMS } from './field/programs.ts';
import { describeKernel } from './test-support/require-kernel.ts';

let solver: Solver;
beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

async function follow(name: string, entry: string, paths?: number): Promise<FollowedPaths> {
  const program = buildFieldProgram(FIELD_PROGRAMS.find((one) => one.name === name)!);
  const entries = program.entries.filter((one) => one.function === entry);
  const limits = { solver, time: 600_000, ...(paths === undefined ? {} : { paths }) };
  return followPaths({ ...program, entries }, limits);
}

describeKernel('paths of programs in the styles of the field', [], () => {
  it.each([
    ['lpm_firewall', 'lpm_learn'],
    ['shared_bucket', 'shared_bucket'],
    ['too_big', 'too_big'],
    ['sampler', 'sampler'],
    ['policy_tables', 'policy_tables'],
    ['text', 'text'],
    ['skb_resize', 'room_encap'],
    ['socket_fields', 'socket_fields'],
    ['socket_fields', 'set_hash'],
  ])(
    'are all followed, in %s:%s, and the machine goes each',
    async (name, entry) => {
      const followed = await follow(name, entry);
      expect(followed.doubt).toBeUndefined();
      expect(followed.paths.filter(({ confirmed }) => !confirmed)).toEqual([]);
      const branches = await followed.branches();
      expect(branches.filter(({ status }) => status === 'undecided')).toEqual([]);
    },
    600_000,
  );

  it('know how much of a queue is theirs, in port_pool', async () => {
    const { paths } = await follow('port_pool', 'port_pool', 60);
    expect(paths).toHaveLength(60);
    expect(paths.filter(({ confirmed }) => !confirmed)).toEqual([]);
  });
});
