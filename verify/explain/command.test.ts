/** Commands that repeat a divergence, for every way in which a run can have been started and a case can have been seen. */
import { describe, expect, it } from 'vitest';
import type { Program } from '../../sim/runtime/program.ts';
import { BATCH_SIZE } from '../batch-plan.ts';
import type { Divergence } from '../report.ts';
import { commandsOf, commandText, type RunOptions } from './command.ts';

const OBJECT: Program = {
  name: 'p',
  entries: [],
  object: new Uint8Array(1),
  commandLine: ['a b.o:p', '--map', "m='x'"],
};
const MODEL: Program = { name: 'icmp_echo', entries: [] };

const of = (seen: Divergence['seen'], file?: string): Divergence =>
  ({ seen, ...(file === undefined ? {} : { file }) }) as Divergence;
const at = (packet: number): Divergence['seen'] => ({ seed: 's', packet });
const RUN: RunOptions = { engines: ['model', 'vm'], seed: 's 1' };

describe('the command that finds it again', () => {
  it.each<[string, Partial<RunOptions>, Divergence['seen'], string]>([
    ['by default', {}, at(7), "verify icmp_echo --engines model,vm --seed 's 1'"],
    ['of check', { command: 'check' }, at(50_000), "check icmp_echo --seed 's 1'"],
    ['of check with a number', { command: 'check', runs: 9 }, at(7), "check icmp_echo --seed 's 1' --runs 9"],
    ['of no engine', { engines: [] }, at(7), "verify icmp_echo --seed 's 1'"],
    [
      'as another kernel',
      { asKernel: '6.1' },
      at(7),
      "verify icmp_echo --as-kernel 6.1 --engines model,vm --seed 's 1'",
    ],
    [
      'with words',
      { words: ['--oracle', 'off'] },
      at(7),
      "verify icmp_echo --oracle off --engines model,vm --seed 's 1'",
    ],
    [
      'with a number',
      { runs: 30_000 },
      at(7),
      "verify icmp_echo --engines model,vm --seed 's 1' --runs 30000",
    ],
    ['just within the usual number', {}, at(19_999), "verify icmp_echo --engines model,vm --seed 's 1'"],
    [
      'behind it',
      {},
      at(20_000),
      `verify icmp_echo --engines model,vm --seed 's 1' --runs ${(Math.floor(20_000 / BATCH_SIZE) + 1) * BATCH_SIZE}`,
    ],
    [
      'by time',
      { timed: true },
      at(0),
      `verify icmp_echo --engines model,vm --seed 's 1' --runs ${BATCH_SIZE}`,
    ],
    [
      'by time, at the end of a batch',
      { timed: true },
      at(BATCH_SIZE - 1),
      `verify icmp_echo --engines model,vm --seed 's 1' --runs ${BATCH_SIZE}`,
    ],
    [
      'by time, in the second batch',
      { timed: true },
      at(BATCH_SIZE),
      `verify icmp_echo --engines model,vm --seed 's 1' --runs ${2 * BATCH_SIZE}`,
    ],
    [
      'in a file, by time',
      { timed: true },
      { file: 'a.pcap' },
      "verify icmp_echo --engines model,vm --seed 's 1'",
    ],
  ])('%s', (_, more, seen, command) => {
    expect(commandsOf(MODEL, of(seen), { ...RUN, ...more })).toEqual({ repeat: `npx xdpsim ${command}` });
  });
});

describe('the command that runs the case alone', () => {
  it.each<[string, Partial<RunOptions>, Divergence, string | undefined]>([
    ['of a saved case', {}, of(at(7), 'new/case.pcapng'), 'new/case.pcapng'],
    ['of a case that came from a file', {}, of({ file: 'old.pcapng' }), 'old.pcapng'],
    ['of one that was saved anew', {}, of({ file: 'old.pcapng' }, 'new.pcapng'), 'new.pcapng'],
    ['of an example', {}, of({ file: 'example: answers' }), undefined],
    ['of a guided case', {}, of({ file: 'guided case 3' }), undefined],
    ['of a case of a proof', {}, of({ file: 'path 3' }), undefined],
    ['of a packet that was not saved', {}, of(at(7)), undefined],
  ])('%s', (_, more, divergence, capture) => {
    const { alone } = commandsOf(OBJECT, divergence, { ...RUN, asKernel: '5.15', ...more });
    const named = `'a b.o:p' --map 'm='\\''x'\\'''`;
    expect(alone).toBe(
      capture === undefined ? undefined : `npx xdpsim run ${named} --as-kernel 5.15 --packet ${capture}`,
    );
  });

  it('has the kernel that showed it, and so has the one that repeats it', () => {
    const shown = { ...of(at(7), 'case.pcapng'), asKernel: '6.1' };
    const { alone, repeat } = commandsOf(OBJECT, shown, RUN);
    expect(alone).toContain(' --as-kernel 6.1 --packet case.pcapng');
    expect(repeat).toContain(' --as-kernel 6.1 ');
    expect(commandsOf(OBJECT, of(at(7), 'case.pcapng'), RUN).alone).not.toContain('--as-kernel');
  });

  it('is for objects only', () => {
    expect(commandsOf(MODEL, of(at(7), 'case.pcapng'), RUN).alone).toBeUndefined();
  });
});

it('quotes what a shell would take apart', () => {
  expect(commandText('a', 'b c', '', "d'e", 'x@%+=:,./-_')).toBe(
    `npx xdpsim a 'b c' '' 'd'\\''e' x@%+=:,./-_`,
  );
  expect(commandText('a\nb', "it's\t\\")).toBe(`npx xdpsim $'a\\x0ab' $'it\\'s\\x09\\\\'`);
});
