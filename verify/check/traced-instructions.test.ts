/** What the instructions of a trace lead to, apart from the trace. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { TracedInstructions } from './traced-instructions.ts';

it('a constant of the loader is open, and nothing beside it', () => {
  const object = new Uint8Array(readFileSync(packageFile('bpf/built/redirect.o')));
  const instructions = new TracedInstructions({ name: 'p', entries: [], object });
  const isOpen = (section: string, offset: number): boolean => instructions.isOpen(section, offset);
  const held = linkedObject(object).maps.find(
    ({ global }) => global?.variables.has('redirect_ifindex') === true,
  )!;
  const { offset } = held.global!.variables.get('redirect_ifindex')!;
  expect([isOpen(held.name, offset), isOpen(held.name, offset + 3)]).toEqual([true, true]);
  expect([isOpen(held.name, 1_000_000), isOpen('.none', 0)]).toEqual([false, false]);
});
