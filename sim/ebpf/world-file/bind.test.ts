import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseJsonc } from '../../runtime/jsonc.ts';
import { parse } from '../../runtime/schema.ts';
import type { World } from '../../runtime/world.ts';
import { worldFromJson, worldToJson } from '../../runtime/world-json.ts';
import { loadObject } from '../object.ts';
import { type BoundWorld, bindWorld } from './bind.ts';
import { worldFileShape } from './shape.ts';

const object = loadObject(
  new Uint8Array(readFileSync(new URL('../test-support/world-file.o', import.meta.url))),
);

function bound(text: string): BoundWorld {
  return bindWorld(parse(worldFileShape, parseJsonc(text)), object);
}

function world(text: string): World {
  return bound(text).world;
}

const bytes = (...list: number[]): Uint8Array => Uint8Array.from(list);

describe('a world file', () => {
  it('numbers devices, and lets routes, neighbours, sockets and values name them', () => {
    const text = `{
      "devices": [{ "name": "lan" }, { "name": "wan", "ifindex": 2, "mtu": 1400, "addresses": ["10.0.0.1/24"] }],
      "routes": [{ "to": "0.0.0.0/0", "via": "10.0.0.9", "device": "wan" }],
      "neighbours": [{ "device": "wan", "address": "10.0.0.9", "mac": "02:00:00:00:00:09" }],
      "sockets": [{ "protocol": "tcp", "local": "10.0.0.1:80", "device": "lan" }],
      "maps": { "ports": { "1": "lan", "2": "wan" }, "limits": { "0": 1 } },
      "globals": { "mode": "wan" }, // a device where a number is wanted
    }`;
    expect(world(text)).toEqual({
      devices: [
        { name: 'lan', ifindex: 3, mac: bytes(2, 0, 0, 0, 0, 3) },
        { name: 'wan', ifindex: 2, mac: bytes(2, 0, 0, 0, 0, 2), mtu: 1400, addresses: ['10.0.0.1/24'] },
      ],
      routes: [{ to: '0.0.0.0/0', via: '10.0.0.9', ifindex: 2 }],
      neighbours: [{ ifindex: 2, address: '10.0.0.9', mac: bytes(2, 0, 0, 0, 0, 9) }],
      sockets: [{ protocol: 'tcp', local: '10.0.0.1:80', ifindex: 3 }],
      maps: {
        ports: [
          { key: bytes(1, 0, 0, 0), value: bytes(3, 0, 0, 0) },
          { key: bytes(2, 0, 0, 0), value: bytes(2, 0, 0, 0) },
        ],
        limits: [{ key: bytes(0, 0, 0, 0), value: bytes(1, 0, 0, 0, 0, 0, 0, 0) }],
      },
      globals: { mode: bytes(2, 0, 0, 0) },
    });
  });

  it.each([
    ['0', 0n],
    ['7', 7n],
    ['"0ns"', 0n],
    ['"500ns"', 500n],
    ['"10us"', 10_000n],
    ['"5ms"', 5_000_000n],
    ['"3s"', 3_000_000_000n],
    ['"2m"', 120_000_000_000n],
    ['"1h"', 3_600_000_000_000n],
    ['"1d"', 86_400_000_000_000n],
    ['"9223372036854775807ns"', 2n ** 63n - 1n],
  ])('takes %s for a time', (text, nanoseconds) => {
    expect(world(`{ "time": ${text} }`).time).toBe(nanoseconds);
  });

  it.each(['"9223372036854775808ns"', '"9223372036855s"', '"-1s"', '"1.5s"', '-1', '"1 s"', 'true'])(
    'takes %s for none',
    (text) => {
      expect(() => world(`{ "time": ${text} }`)).toThrow(/^time: expected /);
    },
  );

  it('names the devices that are there by themselves, where it states none', () => {
    expect(world('{ "maps": { "ports": { "0": "dev4" } } }').maps).toEqual({
      ports: [{ key: bytes(0, 0, 0, 0), value: bytes(4, 0, 0, 0) }],
    });
  });

  it('puts programs and maps into slots by name, and travels as a case’s world', () => {
    const read = world('{ "maps": { "steps": { "3": "answer" }, "tenants": { "443": "inner_two" } } }');
    expect(read).toEqual({
      slots: {
        steps: [{ key: bytes(3, 0, 0, 0), name: 'answer' }],
        tenants: [{ key: bytes(0xbb, 1, 0, 0, 0, 0, 0, 0), name: 'inner_two' }],
      },
    });
    expect(worldFromJson(JSON.parse(JSON.stringify(worldToJson(read))))).toEqual(read);
  });

  it('takes what a slot holds in the place of a name: a map that user space makes', () => {
    const read = world(
      '{ "maps": { "tenants": { "1": { "0": "XDP_TX" }, "2": "tenants/0", "3": [], "4": "inner_one" } } }',
    );
    const slot = (number: number, name: string) => ({ key: bytes(number, 0, 0, 0, 0, 0, 0, 0), name });
    expect(read).toEqual({
      slots: {
        tenants: [slot(1, 'tenants/1'), slot(2, 'tenants/0'), slot(3, 'tenants/2'), slot(4, 'inner_one')],
      },
      maps: { 'tenants/1': [{ key: bytes(0, 0, 0, 0), value: bytes(3, 0, 0, 0) }], 'tenants/2': [] },
    });
    expect(worldFromJson(JSON.parse(JSON.stringify(worldToJson(read))))).toEqual(read);
    expect(world('{ "maps": { "tenants/0": { "0": 2 } } }').maps).toEqual({
      'tenants/0': [{ key: bytes(0, 0, 0, 0), value: bytes(2, 0, 0, 0) }],
    });
  });

  it('takes times with units, seeds, sizes and hints', () => {
    const text = `{ "time": "1h", "tick": 500, "randomSeed": 7, "cpu": 1, "maxEntries": { "sized": 5 },
      "hints": { "ports": [80], "vlans": [100], "tcpOptions": ["window-scale", 200] } }`;
    expect(bound(text)).toEqual({
      world: { time: 3_600_000_000_000n, tick: 500n, randomSeed: 7, cpu: 1 },
      maxEntries: { sized: 5 },
      hints: { ports: [80], vlans: [100], tcpOptions: [3, 200] },
    });
  });

  it('names the devices that packets come in by: its own, unless it says otherwise', () => {
    const devices = '"devices": [{ "name": "wan" }, { "name": "lan", "forwarding": true }]';
    expect(bound(`{ ${devices} }`).hints.ingressIfindexes).toEqual([3, 2, 1]);
    const named = bound(`{ ${devices}, "hints": { "ports": [80], "ingress": ["wan", "lo"] } }`).hints;
    expect(named).toMatchObject({ ports: [80], ingressIfindexes: [2, 1] });
    expect(bound('{ "hints": { "ingress": ["dev4"] } }').hints).toEqual({ ingressIfindexes: [4] });
  });

  it.each<[text: string, message: string]>([
    ['{"hints": {"ingress": ["lan"]}}', 'hints.ingress[0]: no device is called “lan”'],
    [
      '{"maps": {"tenants": {"1": 5}}}',
      'maps.tenants.1: expected the name of a map of the object, or what a new map holds (a list of entries, or values by key), got 5',
    ],
    ['{"maps": {"tenants": {"1": {"9": 1}}}}', 'maps.tenants.1.9: expected an index below 1, got 9'],
    ['{"maps": {"limits/0": {}}}', 'maps."limits/0": the object has no such map; did you mean “limits”?'],
    ['', 'is empty: expected JSON'],
    ['[', 'is not valid JSON: expected “]” at line 1, column 2'],
    ['{"maps": {"flows" []}}', 'is not valid JSON: expected a colon at line 1, column 19'],
    ['{"maps": {"flows": [], "flows": []}}', 'maps.flows: is given a second time, at line 1, column 24'],
    ['{"map": {}}', 'map: unknown field; did you mean “maps”?'],
    ['{"maps": {"flws": []}}', 'maps.flws: the object has no such map; did you mean “flows”?'],
    [
      '{"maps": {"flows": 5}}',
      'maps.flows: expected a list of entries, or an object of values by key, got 5',
    ],
    ['{"maps": {"flows": [{"key": {}}]}}', 'maps.flows[0].value: is missing'],
    ['{"maps": {"flows": [{"value": {}}]}}', 'maps.flows[0].key: is missing'],
    [
      '{"maps": {"flows": [{"key": {"prt": 1}, "value": {}}]}}',
      'maps.flows[0].key.prt: struct flow has no such member; did you mean “port”?',
    ],
    [
      '{"maps": {"networks": {"10.0.0.0/33": 1}}}',
      'maps.networks."10.0.0.0/33": expected an IPv4 or IPv6 prefix, got "10.0.0.0/33"',
    ],
    ['{"maps": {"limits": {"4": 1}}}', 'maps.limits.4: expected an index below 4, got 4'],
    [
      '{"maps": {"ports": {"1": "wan"}}}',
      'maps.ports.1: expected a whole number, an IPv4 address, the name of a device',
    ],
    [
      '{"maps": {"tickets": [{"key": 1, "value": 1}]}}',
      'maps.tickets[0].key: a map of type QUEUE has no keys',
    ],
    [
      '{"maps": {"tickets": [{"value": 1},{"value": 1},{"value": 1},{"value": 1},{"value": 1}]}}',
      'maps.tickets: 5 entries for a map of 4',
    ],
    [
      '{"maps": {"steps": {"1": "answr"}}}',
      'maps.steps.1: expected a function of the object, got “answr”; it has enter, forward, answer',
    ],
    ['{"maps": {"steps": {"4": "answer"}}}', 'maps.steps.4: expected an index below 4, got 4'],
    ['{"maps": {"steps": {"1": 5}}}', 'maps.steps.1: expected the name of a function of the object, got 5'],
    [
      '{"maps": {"tenants": {"1": "limits"}}}',
      'maps.tenants.1: expected a map of type ARRAY, keys of 4, values of 4 bytes',
    ],
    ['{"maps": {".bss": []}}', 'maps.".bss": is a section of variables: set them by name, under “globals”'],
    ['{"globals": {"mod": 1}}', 'globals.mod: the object has no such variable; did you mean “mode”?'],
    ['{"globals": {"mode": 4294967296}}', 'globals.mode: 4294967296 does not fit into 4 bytes'],
    ['{"maxEntries": {"size": 1}}', 'maxEntries.size: the object has no such map; did you mean “sized”?'],
    [
      '{"maxEntries": {"sized": 1}, "maps": {"sized": {"1": 1, "2": 2}}}',
      'maps.sized: 2 entries for a map of 1',
    ],
    [
      '{"maps": {"ports": [{"key": 1, "value": 1}, {"key": 2, "value": 1}, {"key": 1, "value": 2}]}}',
      'maps.ports[2].key: is there already, as maps.ports[0]',
    ],
    ['{"maps": {"limits": {"0": 1, "0x0": 2}}}', 'maps.limits.0x0: is there already, as maps.limits.0'],
    [
      '{"maps": {"steps": [{"key": 1, "value": "answer"}, {"key": 1, "value": "forward"}]}}',
      'maps.steps[1].key: is there already, as maps.steps[0]',
    ],
    ['{"devices": [{"name": "a"}, {"name": "a"}]}', 'devices[1].name: a second a'],
    ['{"devices": [{"name": "a b"}]}', 'devices[0].name: a device’s name has 1 to 15 characters'],
    [
      '{"devices": [{"name": "a", "ifindex": 3}, {"name": "b", "ifindex": 3}]}',
      'devices[1].ifindex: another device has ifindex 3',
    ],
    [
      '{"devices": [{"name": "a", "mac": "01:00:00:00:00:00"}]}',
      'devices[0].mac: a device’s MAC address must not be a group address',
    ],
    [
      '{"routes": [{"to": "10.0.0.1/8", "device": "dev2"}]}',
      'routes[0].to: 10.0.0.1/8 has bits behind its prefix',
    ],
    [
      '{"routes": [{"to": "10.0.0.0/8", "device": "eth7"}]}',
      'routes[0].device: no device is called “eth7”; there is dev2, dev3',
    ],
    [
      '{"neighbours": [{"device": "dev2", "address": "10.0.0", "mac": "02:00:00:00:00:01"}]}',
      'neighbours[0].address: ',
    ],
    ['{"time": "5"}', 'time: expected a time (500ns, 10us, 5ms, 3s, 2m, 1h, 1d), got "5"'],
    ['{"hints": {"vlans": [4096]}}', 'hints.vlans[0]: expected an integer from 0 to 4095, got 4096'],
    ['{"hints": {"tcpOptions": ["mas"]}}', 'hints.tcpOptions[0]: no TCP option "mas"'],
  ])('refuses %s', (text, message) => {
    expect(() => bound(text)).toThrow(message);
  });
});
