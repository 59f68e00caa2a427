import { describe, expect, it } from 'vitest';
import { SK_BUFF_LAYOUT } from '../context/sk-buff.ts';
import { XDP_LAYOUT } from '../context/xdp-md.ts';
import { testMap } from '../test-support/assemble.ts';
import { AbstractState } from './abstract-state.ts';
import {
  ANY,
  contextPointer,
  DATA_ID,
  DOUBTFUL_IDS,
  KIND,
  META_ID,
  mapPointer,
  mapValue,
  notNull,
  packetPointer,
  SCALAR,
  samplePointer,
  stackPointer,
  UNSET,
  type Value,
  withOffset,
} from './abstract-value.ts';
import { judgeAccess, judgeMemory, mayRead, mayWrite } from './access.ts';

const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_WRONLY_PROG = 1 << 8;

const MAPS = [
  testMap('hash', 'HASH', { valueSize: 16 }),
  testMap('array', 'ARRAY', { valueSize: 16 }),
  testMap('percpu', 'PERCPU_ARRAY', { valueSize: 16 }),
  { ...testMap('constant', 'ARRAY', { valueSize: 16 }), mapFlags: BPF_F_RDONLY_PROG },
  { ...testMap('sink', 'ARRAY', { valueSize: 16 }), mapFlags: BPF_F_WRONLY_PROG },
];

/** A packet that was compared with its end: 20 bytes on each path, 40 on some. */
function state(): AbstractState {
  const one = AbstractState.atEntry();
  one.setRange(DATA_ID, { min: 20, max: 40 });
  return one;
}

const NAMES = ['open', 'proven', 'violation'] as const;

interface Asked {
  readonly offset?: number;
  readonly size?: number;
  readonly least?: number;
  readonly writes?: boolean;
  readonly open?: boolean;
}

function judged(pointer: Value, asked: Asked = {}): (typeof NAMES)[number] {
  const { offset = 0, size = 4, least = size, writes = false, open = false } = asked;
  const at = state();
  at.open = open;
  return NAMES[judgeMemory(at, MAPS, pointer, offset, size, writes, least)];
}

describe('memory of known size', () => {
  const packet = packetPointer(KIND.packet, DATA_ID, 0);
  const own = packetPointer(KIND.packet, 17, 0);
  const doubtful = packetPointer(KIND.packet, DOUBTFUL_IDS, 0);
  const meta = packetPointer(KIND.packetMeta, META_ID, 0);

  it.each<[what: string, pointer: Value, asked: Asked, verdict: (typeof NAMES)[number]]>([
    ['anything', ANY, {}, 'open'],
    ['what was never written', UNSET, {}, 'violation'],
    ['a number', SCALAR, {}, 'violation'],
    ['a map', mapPointer(0), {}, 'violation'],
    ['the lowest bytes of the frame', stackPointer(-512, -512), {}, 'proven'],
    ['a byte below the frame', stackPointer(-513, -513), {}, 'violation'],
    ['perhaps a byte below the frame', stackPointer(-513, -512), {}, 'open'],
    ['perhaps nothing below the frame', stackPointer(-513, -513), { least: 0 }, 'open'],
    ['the last bytes of the frame', stackPointer(-4, -4), {}, 'proven'],
    ['a byte behind the frame', stackPointer(-3, -3), {}, 'violation'],
    ['perhaps a byte behind the frame', stackPointer(-8, -3), {}, 'open'],
    ['a frame by an offset', stackPointer(0, 0), { offset: -4 }, 'proven'],
    ['perhaps nothing behind the frame', stackPointer(0, 0), { least: 0 }, 'open'],
    ['bytes that were compared', packet, { offset: 16 }, 'proven'],
    ['bytes that were compared on some paths', packet, { offset: 17 }, 'open'],
    ['the last of these', packet, { offset: 36 }, 'open'],
    ['bytes that no path compared', packet, { offset: 37 }, 'violation'],
    ['perhaps none of these', packet, { offset: 37, least: 0 }, 'open'],
    ['bytes that no path compared, where any may have been', packet, { offset: 37, open: true }, 'open'],
    ['bytes before the packet', packet, { offset: -1 }, 'violation'],
    ['bytes before a pointer into the packet', own, { offset: -1 }, 'open'],
    ['bytes behind a base that was not compared', own, {}, 'violation'],
    ['bytes behind a base that others may share', doubtful, {}, 'open'],
    ['bytes before the metadata', meta, { offset: -1 }, 'violation'],
    ['metadata that was not compared', meta, {}, 'violation'],
    ['a value', mapValue(0, 0, 0), { offset: 12 }, 'proven'],
    ['more than a value', mapValue(0, 0, 0), { offset: 13 }, 'open'],
    ['bytes before a value', mapValue(0, 0, 0), { offset: -1 }, 'open'],
    ['a value that may be null', mapValue(0, 0, 9), {}, 'violation'],
    ['a value that was compared with null', notNull(mapValue(0, 0, 9)), {}, 'proven'],
    ['a value that may be null where paths have met', mapValue(0, 0, DOUBTFUL_IDS), {}, 'open'],
    ['an array’s value that may be null', mapValue(1, 0, 9), {}, 'open'],
    ['a CPU’s array’s value that may be null', mapValue(2, 0, 9), {}, 'open'],
    ['a value of a map that is not known', mapValue(9, 0, 0), {}, 'open'],
    ['a constant', mapValue(3, 0, 0), {}, 'proven'],
    ['a constant, written', mapValue(3, 0, 0), { writes: true }, 'violation'],
    ['what may only be written', mapValue(4, 0, 0), {}, 'violation'],
    ['what may only be written, written', mapValue(4, 0, 0), { writes: true }, 'proven'],
    ['a sample', notNull(samplePointer(16, 9)), { offset: 12 }, 'proven'],
    ['more than a sample', notNull(samplePointer(16, 9)), { offset: 13 }, 'open'],
    ['a sample that may be null', samplePointer(16, 9), {}, 'violation'],
    ['a sample that may be null where paths have met', samplePointer(16, DOUBTFUL_IDS), {}, 'open'],
  ])('%s', (_what, pointer, asked, verdict) => {
    expect(judged(pointer, asked)).toBe(verdict);
  });
});

describe('loads and stores', () => {
  function access(pointer: Value, offset: number, size: number, writes = false, signed = false): string {
    return NAMES[judgeAccess(state(), MAPS, XDP_LAYOUT, pointer, offset, size, writes, signed).verdict];
  }

  it('take fields of the context as they are, from the pointer as it was given', () => {
    const context = contextPointer(0);
    expect(access(context, 0, 4)).toBe('proven');
    expect(access(context, 0, 8)).toBe('violation');
    expect(access(context, 12, 4)).toBe('proven');
    expect(access(context, 0, 4, true)).toBe('violation');
    expect(access(context, 16, 4, true)).toBe('violation');
    expect(access(context, 0, 4, false, true)).toBe('violation');
    expect(access(contextPointer(4), 0, 4)).toBe('violation');
    expect(access(contextPointer(-4), 4, 4)).toBe('violation');
    expect(access(withOffset(context, -4, 4), 0, 4)).toBe('open');
    expect(access(withOffset(context, 0, 4), 0, 4)).toBe('open');
  });

  it('write what may be written of the context', () => {
    const mark = judgeAccess(state(), MAPS, SK_BUFF_LAYOUT, contextPointer(0), 8, 4, true, false);
    expect(NAMES[mark.verdict]).toBe('proven');
    expect(mark.pointer).toBe(contextPointer(0));
  });

  it('want the stack aligned, where its place is known', () => {
    expect(access(stackPointer(-8, -8), 0, 8)).toBe('proven');
    expect(access(stackPointer(-8, -8), 4, 4)).toBe('proven');
    expect(access(stackPointer(-8, -8), 2, 4)).toBe('violation');
    expect(access(stackPointer(-12, -8), -2, 4)).toBe('proven');
    expect(access(packetPointer(KIND.packet, DATA_ID, 1), 0, 4)).toBe('proven');
  });
});

it('values of maps of devices, CPUs and maps are nobody’s to write', () => {
  const types = [
    'HASH',
    'ARRAY',
    'DEVMAP',
    'DEVMAP_HASH',
    'CPUMAP',
    'ARRAY_OF_MAPS',
    'HASH_OF_MAPS',
  ] as const;
  expect(types.filter((type) => mayWrite(testMap('one', type)))).toEqual(['HASH', 'ARRAY']);
  expect(types.every((type) => mayRead(testMap('one', type)))).toBe(true);
});

it('constants are nobody’s to write, whether a flag says so or the object', () => {
  const plain = testMap('one', 'ARRAY');
  const data = { bytes: new Uint8Array(4), variables: new Map<string, never>() };
  expect(mayWrite({ ...plain, mapFlags: BPF_F_RDONLY_PROG })).toBe(false);
  expect(mayWrite({ ...plain, mapFlags: BPF_F_WRONLY_PROG })).toBe(true);
  expect(mayWrite({ ...plain, global: { ...data, readOnly: true } })).toBe(false);
  expect(mayWrite({ ...plain, global: { ...data, readOnly: false } })).toBe(true);
  expect(mayWrite({ ...plain, mapFlags: BPF_F_RDONLY_PROG, global: { ...data, readOnly: false } })).toBe(
    false,
  );
  expect(mayRead({ ...plain, mapFlags: BPF_F_RDONLY_PROG })).toBe(true);
  expect(mayRead({ ...plain, mapFlags: BPF_F_WRONLY_PROG })).toBe(false);
});
