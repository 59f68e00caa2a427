/** Which programs lose an update by writing a copy back, and which do not. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { lostCopies } from './lost-copies.ts';

interface Parts {
  /** Puts the key at r10 - 4. */
  readonly key?: string;
  /** Computes r1, which goes back, of r1, which was found. */
  readonly change?: string;
  /** Before the update. */
  readonly before?: string;
  readonly flags?: number;
  readonly type?: MapType;
}

function textOf({ key, change = 'r1 += 1', before = '', flags = 0 }: Parts): string {
  return `${key ?? '*(u32 *)(r10 - 4) = 0'}
  *(u64 *)(r10 - 16) = 1
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto store
  r1 = *(u64 *)(r0 + 8)
  ${change}
  *(u64 *)(r10 - 16) = r1
  store:
  *(u64 *)(r10 - 24) = 7
  ${before}
  r1 = map[counts]
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -24
  r4 = ${flags}
  call bpf_map_update_elem
  r0 = 2
  exit`;
}

const counts = (type: MapType): BpfMap => testMap('counts', type, { valueSize: 16, maxEntries: 4 });

function programOf(parts: Parts): Program {
  const object = writeElf({ main: textOf(parts) }, [counts(parts.type ?? 'HASH')]);
  return { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
}

const PACKET = { world: {}, stimuli: [{ packet: new Uint8Array(60) }] };
const lost = (parts: Parts, testedApart?: ReadonlySet<string>): string[] =>
  lostCopies(programOf(parts), [PACKET], testedApart).map(({ summary }) => summary);

const OWN_KEY = 'call bpf_get_smp_processor_id\n *(u32 *)(r10 - 4) = r0';

describe('an update is lost', () => {
  it.each<[what: string, parts: Parts]>([
    ['that adds a constant', {}],
    ['that takes something away', { change: 'r2 = 3\n r1 -= r2' }],
    ['of 32 bits, beside a field that stays', { change: 'w1 += 1' }],
    ['that is added to a number', { change: 'r2 = 5\n r2 += r1\n r1 = r2' }],
    ['of an array', { type: 'ARRAY' }],
    ['of a map that forgets', { type: 'LRU_HASH' }],
  ])('%s', (_, parts) => {
    expect(lost(parts)).toEqual([expect.stringContaining('a value of map counts is looked up, added to')]);
  });

  it('and told once, however many cases show it', () => {
    expect(lostCopies(programOf({}), [PACKET, PACKET])).toHaveLength(1);
  });
});

describe('no update is lost', () => {
  it.each<[what: string, parts: Parts]>([
    ['where the value goes back as it was', { change: '' }],
    ['where it is replaced by another', { change: 'r1 = 9\n r1 += 1' }],
    ['where it comes from another field', { change: 'r1 = *(u64 *)(r0 + 0)\n r1 += 1' }],
    ['where it goes to another entry', { before: '*(u32 *)(r10 - 4) = 1' }],
    ['where each CPU has a value of its own', { type: 'PERCPU_HASH' }],
    ['where each CPU has a key of its own', { key: OWN_KEY }],
    ['where only a new entry is made', { flags: 1 }],
  ])('%s', (_, parts) => {
    expect(lost(parts)).toEqual([]);
  });

  it('of a program that is tested by itself, but of one that is not', () => {
    const call = `r2 = map[next]
  r3 = 0
  call bpf_tail_call
  r0 = 2
  exit`;
    const maps = [counts('HASH'), testMap('next', 'PROG_ARRAY', { valueSize: 4, maxEntries: 1 })];
    const object = writeElf({ main: call, other: textOf({}) }, maps);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
    const world = { slots: { next: [{ key: new Uint8Array(4), name: 'other' }] } };
    const found = (testedApart: readonly string[]): number =>
      lostCopies(program, [{ ...PACKET, world }], new Set(testedApart)).length;
    expect([found([]), found(['other'])]).toEqual([1, 0]);
  });
});
