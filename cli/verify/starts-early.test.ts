import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { workersToStart } from './starts-early.ts';
import { LONG_RUN } from './worker-count.ts';

const cores = availableParallelism();

describe('worker processes that are started before the command line is read', () => {
  it.each([
    [['icmp_echo', '--runs', '1000'], 0],
    [['icmp_echo', '--runs=20k'], 0],
    [['icmp_echo', '--runs', '20001'], 1],
    [['icmp_echo', '--runs', String(LONG_RUN)], 1],
    [['icmp_echo', '--runs', '2M'], cores],
    [['icmp_echo', '--runs=2_000_000'], cores],
    [['icmp_echo', '--runs', '2M', '--workers', '1'], 1],
    [['icmp_echo', '--runs', '2M', '--workers=1'], 1],
    [['icmp_echo', '--workers', '999'], cores],
    [['icmp_echo', '--runs', 'many'], 1],
    [['./mine.o'], 1],
    [[], 1],
  ])('%j: %i', (args, workers) => {
    expect(workersToStart(args)).toBe(workers);
  });
});
