/** `corpus generate` in a stated world: packets lead to what is in its maps, as those of `verify` do. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { runInProcess } from '../test-support/in-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-generate-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const OBJECT = packageFile('sim/ebpf/test-support/world-file.o');
const KEYS = [
  { saddr: '198.18.7.7', port: 40_123, proto: 17 },
  { saddr: '198.18.9.9', port: 40_124, proto: 6 },
];
const WORLD = join(scratch, 'world.jsonc');
writeFileSync(
  WORLD,
  JSON.stringify({
    maps: { flows: KEYS.map((key) => ({ key, value: { verdict: 'VERDICT_DENY', low: 3, high: 1000 } })) },
  }),
);
const MAP = join(scratch, 'flows.json');
writeFileSync(MAP, JSON.stringify([{ key: KEYS[0], value: { verdict: 'VERDICT_ALLOW' } }]));

/** How many of the packets have each key: source address, destination port and protocol. */
async function hits(...args: string[]): Promise<number[]> {
  const out = join(scratch, 'new.json');
  const common = ['--max-entries', 'sized=8', '--out', out, '--runs', '2000', '--seed', 'generate'];
  const { code } = await runInProcess('corpus', 'generate', `${OBJECT}:enter`, ...args, ...common);
  expect(code).toBe(0);
  const packets = (JSON.parse(readFileSync(out, 'utf8')) as { packet: string }[]).map(({ packet }) => packet);
  expect(packets).toHaveLength(2000);
  // Ethernet, IPv4 without options, ports.
  return [
    ['11', 'c6120707', '9cbb'],
    ['06', 'c6120909', '9cbc'],
  ].map(
    ([protocol, source, port]) =>
      packets.filter(
        (hex) => hex.slice(46, 48) === protocol && hex.slice(52, 60) === source && hex.slice(72, 76) === port,
      ).length,
  );
}

it('leads to the entries of maps', async () => {
  const [first, second] = await hits('--map', `flows=${MAP}`);
  expect(first).toBeGreaterThan(20);
  expect(second).toBe(0);
});

it('looks at nothing without guidance', async () => {
  expect(await hits('--world', WORLD, '--no-guide')).toEqual([0, 0]);
});
