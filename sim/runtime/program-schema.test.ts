import { describe, expect, it } from 'vitest';
import { parseDefinition } from './program-schema.ts';

const pass = (): number => 2;
const valid = {
  name: 'mine',
  entries: [
    { function: 'first', hook: 'xdp', model: pass },
    { function: 'second', hook: 'tc-ingress', after: 'first', model: pass },
    { function: 'egress', hook: 'tc-egress', model: pass },
  ],
  maps: [{ name: 'counts', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 1 }],
  worlds: [
    { name: 'default', world: {} },
    { name: 'second', world: {} },
  ],
  examples: [{ name: 'short', stimulus: { packet: new Uint8Array(14) }, action: 2, world: 'second' }],
  hints: {},
};
type Parts = Partial<Record<keyof typeof valid, unknown>>;

const reason = (parts: Parts): string => {
  try {
    parseDefinition({ ...valid, ...parts });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
const entry = (name: string, hook: string, after?: string): unknown => ({
  function: name,
  hook,
  model: pass,
  ...(after === undefined ? {} : { after }),
});
const example = (more: object, stimulus: object = {}): Parts => ({
  examples: [{ name: 'e', action: 2, stimulus: { packet: new Uint8Array(14), ...stimulus }, ...more }],
});

describe('a definition', () => {
  it('is taken as it is, with empty texts where it has none', () => {
    expect(parseDefinition(valid)).toMatchObject({ ...valid, summary: '', description: '' });
  });

  it.each<[string, Parts, string]>([
    ['no name', { name: undefined }, 'name'],
    ['no entries', { entries: [] }, 'entries'],
    ['no worlds', { worlds: [] }, 'worlds'],
    ['a hook that is none', { entries: [entry('a', 'tc')] }, 'entries[0].hook'],
    [
      'a model that is no function',
      { entries: [{ function: 'a', hook: 'xdp', model: 1 }] },
      'entries[0].model',
    ],
    ['an action that fits no register', example({ action: 0x1_0000_0000 }), 'examples[0].action'],
    [
      'a key size of more than 32 bits',
      { maps: [{ ...valid.maps[0], keySize: 2 ** 32 }] },
      'maps[0].keySize',
    ],
    ['a port of more than 16 bits', { hints: { ports: [65_536] } }, 'hints.ports[0]'],
    ['an address that is none', { hints: { addresses: ['10.0.0'] } }, 'hints.addresses[0]'],
    ['a MAC address of five bytes', { hints: { macs: [new Uint8Array(5)] } }, 'hints.macs[0]'],
  ])('is refused with %s', (_what, parts, place) => {
    expect(reason(parts)).toContain(place);
  });

  it.each<[string, Parts]>([
    ['the largest action', example({ action: 0xffff_ffff })],
    ['the lowest action', example({ action: -0x8000_0000 })],
    ['the largest port', { hints: { ports: [0, 65_535] } }],
    ['the last entry', example({}, { entry: 2 })],
  ])('may have %s', (_what, parts) => {
    expect(reason(parts)).toBe('');
  });
});

describe('entries', () => {
  it('have a name each', () => {
    expect(reason({ entries: [entry('a', 'xdp'), entry('b', 'xdp'), entry('a', 'tc-ingress')] })).toContain(
      'entries[2].function: a second entry of the name “a”',
    );
  });

  it.each<[string, unknown[]]>([
    ['after what is not there', [entry('a', 'xdp'), entry('b', 'tc-ingress', 'c')]],
    ['after a TC entry', [entry('a', 'tc-ingress'), entry('b', 'tc-ingress', 'a')]],
    ['at egress after an XDP entry', [entry('a', 'xdp'), entry('b', 'tc-egress', 'a')]],
    ['as XDP after an XDP entry', [entry('a', 'xdp'), entry('b', 'xdp', 'a')]],
    ['after themselves', [entry('a', 'xdp'), entry('b', 'tc-ingress', 'b')]],
  ])('do not run %s', (_what, entries) => {
    expect(reason({ entries })).toContain('entries[1].after');
    expect(reason({ entries })).toContain('cannot run after');
  });
});

describe('names', () => {
  it('of maps and worlds are there once', () => {
    const [map] = valid.maps;
    expect(reason({ maps: [map, { ...map, name: 'other' }, map] })).toContain(
      'maps[2].name: “counts” is there already',
    );
    const world = { name: 'w', world: {} };
    expect(reason({ worlds: [world, world], examples: [] })).toContain(
      'worlds[1].name: “w” is there already',
    );
  });

  it('of an example’s world are those of worlds, and near ones are suggested', () => {
    expect(reason(example({ world: 'secnd' }))).toContain('did you mean “second”?');
    expect(reason(example({ world: 'zzzzzzzz' }))).toContain('worlds: default, second');
  });
});

it('examples run an entry that is there, with whole words of metadata', () => {
  expect(reason(example({}, { metadata: new Uint8Array(8) }))).toBe('');
  expect(reason(example({}, { metadata: new Uint8Array(6) }))).toContain(
    'expected a multiple of 4 bytes, got 6',
  );
  expect(reason(example({}, { entry: 3 }))).toContain('examples[0]');
});
