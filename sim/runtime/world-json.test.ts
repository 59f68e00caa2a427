import { describe, expect, it } from 'vitest';
import { ShapeError } from './shape-error.ts';
import type { World } from './world.ts';
import { worldFromJson, worldToJson } from './world-json.ts';

const FULL: World = {
  devices: [
    {
      ifindex: 7,
      name: 'left',
      mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
      mtu: 1500,
      addresses: ['10.11.1.1/24', 'fc00:dead:cafe:1::1/64'],
      forwarding: true,
    },
  ],
  routes: [{ to: '::/0', type: 'unicast', via: 'fe80::1', ifindex: 7, metric: 10, mtu: 1280 }],
  neighbours: [{ ifindex: 7, address: '10.11.1.2', mac: Uint8Array.of(2, 0, 0, 0, 0, 2) }],
  maps: { hex: [{ key: Uint8Array.of(), value: Uint8Array.of(0, 255) }], int: [] },
  globals: { hex: Uint8Array.of(1), int: Uint8Array.of(1, 2, 3, 4) },
  time: -(2n ** 70n),
  randomSeed: 0xffff_ffff,
  stackFill: 0xff00_0000_0000_0002n,
  cpu: 1,
};

describe('a world as JSON', () => {
  it('comes back as it was, even where maps and globals are named like the marks for bytes and integers', () => {
    expect(worldFromJson(JSON.parse(JSON.stringify(worldToJson(FULL))))).toEqual(FULL);
  });

  it('says what the stack holds in each byte, or in each eight', () => {
    expect(worldFromJson({ stackFill: 255 })).toEqual({ stackFill: 255 });
    expect(worldFromJson({ stackFill: { int: '2' } })).toEqual({ stackFill: 2n });
  });

  it('may be empty', () => {
    expect(worldFromJson({})).toEqual({});
  });

  it.each([
    ['a list', [], 'world: expected an object, got a list'],
    ['null', null, 'world: expected an object, got null'],
    ['an unknown field', { device: [] }, 'world.device: unknown field; did you mean “devices”?'],
    [
      'a field that every object has',
      { constructor: 1 },
      /^world\.constructor: unknown field; known are devices, /,
    ],
    ['devices that are no list', { devices: 5 }, 'world.devices: expected a list, got 5'],
    [
      'a MAC address of five bytes',
      { devices: [{ ifindex: 1, name: 'x', mac: { hex: '0102030405' } }] },
      'world.devices[0].mac.hex: expected 12 hexadecimal digits, got "0102030405"',
    ],
    ['a stack of texts', { stackFill: '2' }, 'world.stackFill: expected an object, got "2"'],
    ['a stack of less than nothing', { stackFill: -1 }, /^world\.stackFill: expected /],
    ['a route without a destination', { routes: [{}] }, 'world.routes[0].to: is missing'],
    [
      'a route of an unknown type',
      { routes: [{ to: '::/0', type: 'nat' }] },
      'world.routes[0].type: expected one of unicast, blackhole, unreachable, prohibit, got "nat"',
    ],
    [
      'half a byte',
      { maps: { flows: [{ key: { hex: '0' }, value: { hex: '' } }] } },
      'world.maps.flows[0].key.hex: expected an even number of hexadecimal digits, got "0"',
    ],
    ['a map whose name is no word', { maps: { 'a b': 1 } }, 'world.maps."a b": expected a list, got 1'],
    ['bytes that are a string', { globals: { x: 'ff' } }, 'world.globals.x: expected an object, got "ff"'],
    ['a time that is a number', { time: 5 }, 'world.time: expected an object, got 5'],
    [
      'a time in hexadecimal',
      { time: { int: '0x5' } },
      'world.time.int: expected a decimal integer as a string, got "0x5"',
    ],
    ['a negative CPU', { cpu: -1 }, 'world.cpu: expected an integer from 0 to 4294967295, got -1'],
  ])('refuses %s and names the place', (_what, json, message) => {
    expect(() => worldFromJson(json)).toThrow(message);
  });

  it('keeps maps and globals whatever they are called', () => {
    const json = JSON.parse('{"globals":{"__proto__":{"hex":"01"},"constructor":{"hex":"02"}}}');
    expect(Object.entries(worldFromJson(json).globals!)).toEqual([
      ['__proto__', Uint8Array.of(1)],
      ['constructor', Uint8Array.of(2)],
    ]);
  });

  it('refuses JSON that is nested a hundred thousand deep without running out of stack', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(() => worldFromJson({ devices: deep })).toThrow(ShapeError);
  });
});
