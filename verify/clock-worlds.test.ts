import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { worldsOfObject } from './clock-worlds.ts';

it('gives one empty world to programs in which neither clock nor chance decides', () => {
  const object = new Uint8Array(readFileSync(new URL('../bpf/built/icmp_echo.o', import.meta.url)));
  expect(worldsOfObject({ name: 'icmp_echo', entries: [], object })).toEqual([{ name: 'empty', world: {} }]);
});

it('leaves objects that do not load to whoever runs them', () => {
  expect(worldsOfObject({ name: 'noise', entries: [], object: new Uint8Array(64) })).toHaveLength(1);
  expect(worldsOfObject({ name: 'none', entries: [] })).toHaveLength(1);
});
