/** Where programs attach by the names of their sections. */
import { expect, it } from 'vitest';
import { linkedObject } from '../linked-object.ts';
import { writeElf } from '../test-support/write-elf.ts';

it.each([
  ['xdp', 'xdp'],
  ['tcx/ingress', 'tc-ingress'],
  ['tcx/egress', 'tc-egress'],
  ['netkit/primary', 'tc-egress'],
  ['netkit/peer', 'tc-egress'],
])('a section of libbpf says it: %s', (section, hook) => {
  const [program] = linkedObject(writeElf({ main: 'r0 = 0\nexit' }, [], {}, { section })).programs;
  expect(program).toMatchObject({ hook, isGuessed: false });
  expect(program!.otherType).toBeUndefined();
});

it.each([
  ['kprobe/f', 'kprobe'],
  ['sk_skb/stream_parser', 'sk_skb'],
])('a section of another type is no TC program: %s', (section, type) => {
  const [program] = linkedObject(writeElf({ main: 'r0 = 0\nexit' }, [], {}, { section })).programs;
  expect(program!.hook).toBeUndefined();
  expect(program!.otherType).toBe(type);
});
