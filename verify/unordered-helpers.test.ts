import { describe, expect, it } from 'vitest';
import { testMap, testObject } from '../sim/ebpf/test-support/assemble.ts';
import { unorderedHelpers, unorderedIn } from './unordered-helpers.ts';

const FLOWS = testMap('flows', 'HASH');
const JUMPS = testMap('jumps', 'PROG_ARRAY');
const WALK = `r1 = map[flows]
  r2 = visit
  r3 = 0
  r4 = 0
  call bpf_for_each_map_elem
  r0 = 2
  exit
  visit:
  r0 = 0
  exit`;
const CLOCK = `call bpf_ktime_get_ns
  r0 = 2
  exit`;
const JUMP = `r2 = map[jumps]
  r3 = 0
  call bpf_tail_call
  r0 = 2
  exit`;
const WALKS = ['bpf_for_each_map_elem'];

describe('helpers without an order of their own', () => {
  it('are those that the program itself comes to', () => {
    const object = testObject({ walks: WALK, reads: CLOCK, jumps: JUMP }, [FLOWS, JUMPS]);
    expect(unorderedIn(object, ['walks'])).toEqual(WALKS);
    expect(unorderedIn(object, ['reads'])).toEqual([]);
    expect(unorderedIn(object, ['reads', 'walks'])).toEqual(WALKS);
    // What stands behind a tail call may be any program of the object.
    expect(unorderedIn(object, ['jumps'])).toEqual(WALKS);
  });

  it('are none where there is no hash map, or no object', () => {
    const arrays = testObject({ walks: WALK.replace('flows', 'counts') }, [testMap('counts', 'ARRAY')]);
    expect(unorderedIn(arrays, ['walks'])).toEqual([]);
    const entries = [{ function: 'walks', hook: 'xdp' }] as const;
    expect(unorderedHelpers({ name: 'model', entries })).toEqual([]);
    expect(unorderedHelpers({ name: 'no object', entries, object: new Uint8Array(3) })).toEqual([]);
  });
});
