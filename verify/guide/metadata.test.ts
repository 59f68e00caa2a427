/** Metadata in front of a frame is an input like others: how much there is, and what it holds, also behind a map's entry. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { type Guidance, guide } from './guide.ts';
import { withMetadata } from './world-edits.ts';

const CONF = testMap('conf', 'HASH', { maxEntries: 4, valueSize: 4 });

/** A program that goes on for an entry of 7, with so many bytes of metadata of which the word at `at` is 0x42. */
function gated(hook: 'xdp' | 'tc-ingress', length: number, at: number): Guidance {
  const [meta, data] = hook === 'xdp' ? [8, 0] : [140, 76];
  const text = `  r6 = r1
  r1 = 0
  *(u32 *)(r10 - 4) = r1
  r1 = map[conf]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u32 *)(r0 + 0)
  if r1 != 7 goto out
  r2 = *(u32 *)(r6 + ${meta})
  r3 = *(u32 *)(r6 + ${data})
  r4 = r2
  r4 += ${length}
  if r4 > r3 goto out
  r1 = *(u32 *)(r2 + ${at})
  if r1 != 0x42 goto out
  r0 = 2
  exit
out:
  r0 = 1
  exit`;
  const object = writeElf({ main: text }, [CONF]);
  const entries = [{ function: 'main', hook }];
  return guide({ name: 'test', entries, object }, { seed: '1', effort: 1_000_000 });
}

describe('guidance', () => {
  it.each([
    ['xdp', 4, 0],
    ['xdp', 24, 20],
    ['tc-ingress', 4, 0],
  ] as const)('reaches at %s what asks for %i bytes of metadata and the word at %i', (hook, length, at) => {
    const { missing, cases, hints } = gated(hook, length, at);
    expect(missing).toEqual([]);
    const words = cases.flatMap(({ stimuli }) =>
      stimuli.map(({ metadata = new Uint8Array(0) }) => [metadata.length >= length, metadata[at]]),
    );
    expect(words).toContainEqual([true, 0x42]);
    expect(hints.metadata).toBe(true);
  });

  it('gives none to programs that ask for none', () => {
    const object = writeElf({ main: '  r0 = 2\n  exit' });
    const { hints, cases } = guide(
      { name: 'test', entries: [{ function: 'main', hook: 'xdp' }], object },
      { seed: '1', effort: 100_000 },
    );
    expect(hints.metadata).toBeUndefined();
    expect(cases.flatMap(({ stimuli }) => stimuli).every(({ metadata }) => metadata === undefined)).toBe(
      true,
    );
  });
});

describe('other lengths of metadata', () => {
  const before = {
    packet: new Uint8Array(20),
    metadata: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    rxQueueIndex: 2,
  };

  it('keep what lies in front of the frame, and are whole words', () => {
    expect(withMetadata(before, 4)).toEqual({ ...before, metadata: Uint8Array.of(5, 6, 7, 8) });
    expect(withMetadata(before, 9)!.metadata).toEqual(Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8));
    expect(withMetadata(before, 7)!.metadata).toEqual(Uint8Array.of(5, 6, 7, 8));
    expect(withMetadata(before, 3)!.metadata).toBeUndefined();
    expect(withMetadata(before, 0)).toEqual({ packet: before.packet, rxQueueIndex: 2 });
    expect(withMetadata({ packet: before.packet }, 4)!.metadata).toEqual(new Uint8Array(4));
  });

  it('are what every kernel takes', () => {
    expect(withMetadata(before, 28)!.metadata).toHaveLength(28);
    expect(withMetadata(before, 29)).toBeUndefined();
  });
});
