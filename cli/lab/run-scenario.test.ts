/** `xdpsim lab run` as a user meets it, without the kernel. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { Ended } from '../test-support/built-command.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-scenario-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const labRun = (...args: string[]): Promise<Ended> => runInProcess('lab', 'run', ...args);

const ECHO = JSON.parse(readFileSync(packageFile('corpus/scenarios/icmp_echo.json'), 'utf8')) as {
  steps: { expect: string[] }[];
};

function scratchFile(name: string, json: unknown): string {
  const path = join(scratch, name);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

describe('xdpsim lab run', () => {
  it('shows the path, the verdicts and what the stacks do', async () => {
    const { code, out } = await labRun('icmp_echo', '--no-color');
    expect(code).toBe(0);
    expect(out).toContain('client:veth0 → server:veth0  98 bytes: 10.11.1.2 → 10.11.1.1, Echo');
    expect(out).toContain('server:veth0 xdp icmp_echo: XDP_TX');
    expect(out).toContain('client:veth0 gets the reply of 10.11.1.1');
  });

  it('does not take for right where nothing was sent', async () => {
    const none = scratchFile('none.json', { ...ECHO, steps: [] });
    expect(await labRun(none)).toMatchObject({
      code: 4,
      out: expect.stringContaining('nothing was checked'),
    });
    const ping = { from: 'server', to: '10.11.1.2', payload: 3000 };
    expect((await labRun(scratchFile('big.json', { ...ECHO, steps: [{ ping }] }))).code).toBe(4);
    const expected = scratchFile('expected.json', { ...ECHO, steps: [{ ping, expect: [] }] });
    expect((await labRun(expected)).code).toBe(0);
  });

  it('prints one JSON document with all bytes', async () => {
    const { code, out } = await labRun('icmp_echo', '--json');
    expect(code).toBe(0);
    const document = JSON.parse(out);
    expect(document).toMatchObject({ version: 1, scenario: 'icmp_echo', unexpected: [] });
    expect(document).not.toHaveProperty('agree');
    expect(document.steps[1].sim.path[0]).toMatchObject({
      namespace: 'client',
      device: 'veth0',
      direction: 'out',
      bytes: expect.stringMatching(/^020000000101020000000102080045/),
    });
    expect(document.maps.sim[1]).toMatchObject({ namespace: 'server', program: 'icmp_echo' });
  });

  it('ends with 1 where the path is not the expected one', async () => {
    const [first, ...rest] = ECHO.steps;
    const steps = [{ ...first, expect: ['client:veth0 out', 'server:veth0 up'] }, ...rest];
    const { code, out } = await labRun(scratchFile('wrong.json', { ...ECHO, steps }), '--no-color');
    expect(code).toBe(1);
    expect(out).toContain('hop 2 is expected to be server:veth0 up, but it is server:veth0 in');
  });

  it('lists the built-in scenarios', async () => {
    const { code, out } = await labRun();
    expect(code).toBe(0);
    expect(out).toMatch(/^router +A router between three hosts/m);
  });

  it.each<[string, string[], RegExp]>([
    ['no such scenario', ['nope'], /“nope” is neither a file nor a built-in scenario/],
    ['a file that is none', [packageFile('README.md')], /README\.md: is not valid JSON/],
    ['a place that there is not', ['icmp_echo', '--in', 'moon'], /sim, kernel, both/],
    [
      'a wrong scenario',
      [scratchFile('bad.json', { ...ECHO, wires: [] })],
      /bad\.json: scenario\.wires: client:veth0 is on no wire/,
    ],
    [
      'an object that is missing',
      [
        scratchFile('missing.json', {
          name: 'missing',
          description: '',
          namespaces: {
            a: {
              devices: [{ name: 'x', ifindex: 2, mac: '02:00:00:00:00:01', xdp: 'mine:f' }],
              programs: { mine: { object: 'not-there.o' } },
            },
            b: { devices: [{ name: 'y', ifindex: 2, mac: '02:00:00:00:00:02' }] },
          },
          wires: [['a:x', 'b:y']],
          steps: [],
        }),
      ],
      /not-there\.o: no such file/,
    ],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { code, err } = await labRun(...args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
  });
});
