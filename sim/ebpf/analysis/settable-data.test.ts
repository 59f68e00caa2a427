/** Which read-only bytes a loader may set. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../../kernel/package-file.ts';
import { linkedObject } from '../linked-object.ts';
import { openConstants } from './settable-data.ts';

const object = linkedObject(new Uint8Array(readFileSync(packageFile('bpf/built/redirect.o'))));

/** Bytes of each read-only variable that are open. */
function open(): Record<string, number> {
  const isOpen = openConstants(object);
  const counts: Record<string, number> = {};
  for (const [index, map] of object.maps.entries()) {
    for (const [name, { offset, size }] of map.global?.variables ?? []) {
      counts[name] = 0;
      for (let at = offset; at < offset + size; at++) if (isOpen(index, at)) counts[name]++;
    }
  }
  return counts;
}

describe('constants of an object', () => {
  it('are open where they are volatile', () => {
    expect(open()).toMatchObject({
      redirect_ifindex: 4,
      redirect_source: 6,
      redirect_destination: 6,
    });
  });

  it('are none beyond their section', () => {
    const isOpen = openConstants(object);
    expect([isOpen(object.maps.length, 0), isOpen(0, 1_000_000)]).toEqual([false, false]);
  });
});
