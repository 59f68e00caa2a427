import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { worldText } from './world-text.ts';

const object = new Uint8Array(readFileSync(packageFile('bpf/built/redirect.o')));
const program: Program = { name: 'redirect', entries: [], object };

it('shows variables and entries of maps as C declares them', () => {
  const globals = {
    redirect_ifindex: Uint8Array.of(7, 0, 0, 0),
    redirect_source: Uint8Array.of(2, 0, 0, 0, 0, 9),
  };
  const value = new Uint8Array(BigUint64Array.of(2n, 98n).buffer);
  const maps = { xdp_stats_map: [{ key: Uint8Array.of(1, 0, 0, 0), value }] };
  expect(worldText(program, { maps, globals })).toBe(
    'map xdp_stats_map: 1 = {"rx_packets":2,"rx_bytes":98}, redirect_ifindex = 7, redirect_source = [2,0,0,0,0,9]',
  );
});

it('shows what a map without keys holds', () => {
  const value = (number: number) => ({ key: new Uint8Array(0), value: Uint8Array.of(number, 0, 0, 0) });
  expect(worldText(program, { maps: { queue: [value(7), value(9)] } })).toBe('map queue: 7, 9');
});
