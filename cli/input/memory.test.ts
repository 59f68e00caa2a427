import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { announceMemory, announceObjectMemory } from './memory.ts';
import { resolvePrograms } from './program-source.ts';

const reported = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
afterAll(() => reported.mockRestore());

/** A size that is announced; what a command does after that is not waited for. */
const LARGE =
  /^xdpsim: icmp_echo: its maps take up to \d+\.\d GB in each engine \(xdp_stats_map has room for 100000000 entries\)\n/;

describe('memory above a gigabyte', () => {
  it('is announced with the sizes that the user states', async () => {
    const [program] = await resolvePrograms(['icmp_echo']);
    reported.mockClear();
    announceMemory([program!]);
    expect(reported).not.toHaveBeenCalled();
    announceMemory([{ ...program!, maxEntries: { xdp_stats_map: 100_000_000 } }]);
    expect(reported.mock.calls.map(([text]) => text).join('')).toMatch(LARGE);
  });

  it('is not looked for in what is no object: whoever loads it refuses it', () => {
    reported.mockClear();
    announceObjectMemory('x.o', Uint8Array.of(1, 2, 3));
    expect(reported).not.toHaveBeenCalled();
  });

  // The packet is refused after the announcement, before any memory is taken.
  it('is announced by `run` before it runs', async () => {
    const args = ['run', 'icmp_echo', 'no packet', '--max-entries', 'xdp_stats_map=100M'];
    const { code, err } = await runInProcess(...args);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(LARGE) });
  });

  it('is announced by every command that opens sessions on the user’s objects', () => {
    const opening = (folder: string): string[] =>
      readdirSync(packageFile(folder))
        .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
        .filter((name) => {
          const text = readFileSync(packageFile(`${folder}/${name}`), 'utf8');
          return /\.open\(|new Verifier\(|simulate\(|= load\(lab/.test(text);
        })
        .map((name) => `${folder}/${name}`);
    const commands = [...opening('cli/commands'), ...opening('cli/lab')];
    expect(commands.length).toBeGreaterThan(3);
    for (const file of commands) {
      expect(readFileSync(packageFile(file), 'utf8'), file).toMatch(/announce(Object)?Memory\(/);
    }
  });
});
