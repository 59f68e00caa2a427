/** Which indexes an array surely does not have. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import { beyondArrays } from './beyond-arrays.ts';

/** r1 = a number of the packet. */
const PACKET = `r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r1 = *(u8 *)(r2 + 0)`;
const asks = (key: string, helper = 'bpf_map_lookup_elem'): string => `${PACKET}
  ${key}
  *(u32 *)(r10 - 4) = r1
  *(u64 *)(r10 - 16) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -16
  r4 = 0
  call ${helper}
  out:
  r0 = 2
  exit`;

function found(text: string, map: Partial<BpfMap> & { type?: MapType } = {}): string[] {
  const counts = testMap('counts', map.type ?? 'ARRAY', { maxEntries: 6, ...map });
  const entries = [{ function: 'main', hook: 'xdp' as const }];
  const object = writeElf({ main: text }, [counts]);
  return beyondArrays({ name: 'p', entries, object }).map(({ summary, severity }) => {
    expect(severity).toBe('warning');
    return summary;
  });
}

const CONSTANT = asks('r1 = 6');

describe('an element of an array', () => {
  it('is never there where its index is the number of elements', () => {
    const says = 'asks counts for element 6 or one behind it, and it has 6 elements, 0 to 5';
    expect(found(CONSTANT)).toEqual([
      `p: lookup/beyond-array: bpf_map_lookup_elem ${says}: the lookup never finds anything (instruction 16)`,
    ]);
    expect(found(CONSTANT, { type: 'PERCPU_ARRAY' })).toHaveLength(1);
    expect(found(asks('r1 = 6', 'bpf_map_update_elem'))).toEqual([
      `p: lookup/beyond-array: bpf_map_update_elem ${says}: the update is always refused (-E2BIG) (instruction 16)`,
    ]);
  });

  it('is never there where all of a range is behind the last one', () => {
    expect(found(asks('r1 >>= 6\nr1 += 6'))).toHaveLength(1);
    expect(found(asks('r1 >>= 6\nr1 += 5'))).toEqual([]);
  });

  it.each<[what: string, text: string, map?: Partial<BpfMap> & { type?: MapType }]>([
    ['the last one is', asks('r1 = 5')],
    ['an index of the packet may be', asks('')],
    ['one way is right', asks('if r1 == 9 goto other\nr1 = 6\ngoto ask\nother:\nr1 = 5\nask:')],
    ['a loop comes to it from behind', asks('r1 = 9\nagain:\nr1 += -1\nif r1 > 3 goto again')],
    ['a table has keys, not elements', CONSTANT, { type: 'HASH' }],
    ['nobody has said how many there are', CONSTANT, { maxEntries: 0 }],
    ['nothing comes there', asks('r1 = 3\nif r1 < 6 goto ask\nr1 = 6\nask:')],
  ])('may be there where %s', (_, text, map) => {
    expect(found(text, map)).toEqual([]);
  });
});

describe('a slot', () => {
  const call = (helper: string, registers: string, maps: readonly BpfMap[]): string[] => {
    const object = writeElf({ main: `${registers}\n call ${helper}\n r0 = 2\n exit` }, maps);
    const entries = [{ function: 'main', hook: 'xdp' as const }];
    return beyondArrays({ name: 'p', entries, object }).map(({ summary }) => summary);
  };
  const slots = (type: MapType): BpfMap => testMap('slots', type, { maxEntries: 4 });
  const target = (index: number | string, flags = 0): string =>
    `r1 = map[slots]\n r2 = ${index}\n r3 = ${flags}`;
  const behind = (index: number | string): string => `r2 = map[slots]\n r3 = ${index}`;
  const event = (index: string): string =>
    `${behind(index)}\n r4 = r10\n r4 += -8\n *(u64 *)(r10 - 8) = 0\n r5 = 8`;

  it.each<[helper: string, registers: string, type: MapType, effect: string]>([
    ['bpf_redirect_map', target(4), 'XSKMAP', 'the redirect never finds a target'],
    ['bpf_redirect_map', target(4), 'CPUMAP', 'the redirect never finds a target'],
    ['bpf_redirect_map', target(9, 2), 'DEVMAP', 'the redirect never finds a target'],
    ['bpf_redirect_map', target(-1), 'DEVMAP', 'the redirect never finds a target'],
    ['bpf_tail_call', behind(4), 'PROG_ARRAY', 'the tail call never happens'],
    ['bpf_perf_event_output', event('4'), 'PERF_EVENT_ARRAY', 'the event is never sent (-E2BIG)'],
    [
      'bpf_perf_event_output',
      event('0x800000004 ll'),
      'PERF_EVENT_ARRAY',
      'the event is never sent (-E2BIG)',
    ],
    ['bpf_perf_event_read', target(4), 'PERF_EVENT_ARRAY', 'no counter is ever read (-E2BIG)'],
  ])('is never there where its index is the number of slots: %s', (helper, registers, type, effect) => {
    const [says, ...others] = call(helper, registers, [slots(type)]);
    expect(others).toEqual([]);
    expect(says).toContain(`lookup/beyond-array: ${helper} asks slots for element`);
    expect(says).toContain(effect);
  });

  it.each<[what: string, helper: string, registers: string, type: MapType]>([
    ['it is the last one', 'bpf_redirect_map', target(3), 'XSKMAP'],
    ['only the lower half is asked for', 'bpf_redirect_map', target('0x100000003 ll'), 'DEVMAP'],
    ['all get the packet', 'bpf_redirect_map', target(9, 8), 'DEVMAP'],
    ['a table has keys', 'bpf_redirect_map', target(9), 'DEVMAP_HASH'],
    ['it is the last program', 'bpf_tail_call', behind(3), 'PROG_ARRAY'],
    ['it is the CPU’s', 'bpf_perf_event_output', event('0xffffffff ll'), 'PERF_EVENT_ARRAY'],
    ['packet bytes go with it', 'bpf_perf_event_output', event('0x8ffffffff ll'), 'PERF_EVENT_ARRAY'],
    ['the context says which', 'bpf_redirect_map', `r2 = *(u32 *)(r1 + 16)\n ${target('r2')}`, 'XSKMAP'],
  ])('may be there where %s', (_, helper, registers, type) => {
    expect(call(helper, registers, [slots(type)])).toEqual([]);
  });
});
