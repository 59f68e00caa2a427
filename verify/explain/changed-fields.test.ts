import { expect, it } from 'vitest';
import { changedFields } from './changed-fields.ts';

const named = (group: string, from: number, to: number): string[] =>
  changedFields([{ group, from, to, at: 22 }]);

it('names the field of a word that changed, or both', () => {
  expect(named('TTL and protocol', 0x4006, 0x3f06)).toEqual(['TTL']);
  expect(named('TTL and protocol', 0x4006, 0x4011)).toEqual(['protocol']);
  expect(named('TTL and protocol', 0x4006, 0x3f11)).toEqual(['TTL and protocol']);
  expect(named('type and code', 0x0800, 0)).toEqual(['type']);
  expect(named('version, ihl and TOS', 0x4500, 0x452c)).toEqual(['TOS']);
});

it('does so of quoted packets, too, and leaves other words as they are called', () => {
  expect(named('quoted TTL and protocol', 0x4006, 0x3f06)).toEqual(['quoted TTL']);
  expect(named('source port', 0x0100, 0x0200)).toEqual(['source port']);
});

it('names nothing twice', () => {
  const steps = [0x4006, 0x3006].map((from) => ({
    group: 'TTL and protocol',
    from,
    to: from - 0x100,
    at: 22,
  }));
  expect(changedFields(steps)).toEqual(['TTL']);
});
