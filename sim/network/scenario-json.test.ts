import { describe, expect, it } from 'vitest';
import { parseScenario, ScenarioError, scenarioFromJson } from './scenario-json.ts';
import { pairJson } from './test-support/programs.ts';

const PING = { ping: { from: 'client', to: '10.11.1.1' } };

/** The valid scenario with one place changed; the path's last part is set, or taken away where `value` is undefined. */
function changed(path: string, value: unknown): unknown {
  const json = structuredClone(pairJson([PING])) as Record<string, unknown>;
  const parts = path.split('.');
  let at: Record<string, unknown> = json;
  for (const part of parts.slice(0, -1)) at = at[part] as Record<string, unknown>;
  const last = parts.at(-1)!;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return json;
}

describe('reading a scenario', () => {
  it('fills in what is not said', () => {
    const scenario = scenarioFromJson(pairJson([PING]), 'file');
    expect(scenario.namespaces[0]!.devices[0]).toMatchObject({ mtu: 1500, forwarding: false });
    expect(scenario.steps[0]).toMatchObject({
      name: 'step 1',
      send: { kind: 'packet', namespace: 'client' },
    });
  });

  it('loads a built-in program that a device names, with the function for the hook', () => {
    const scenario = scenarioFromJson(
      pairJson([PING], { xdp: 'layer_coop', tcEgress: 'layer_coop' }),
      'file',
    );
    const server = scenario.namespaces[1]!;
    expect(server.devices[0]).toMatchObject({
      xdp: { program: 'layer_coop', function: 'layer_coop_rx', mode: 'native' },
      tcEgress: { program: 'layer_coop', function: 'layer_coop_tx' },
    });
    // One object for both halves: they share the map.
    expect(server.programs).toHaveLength(1);
    expect(server.programs[0]!.entries).toEqual([
      { function: 'layer_coop_rx', hook: 'xdp' },
      { function: 'layer_coop_tx', hook: 'tc-egress' },
    ]);
  });

  it('writes values as programs have them: numbers in the machine’s order, addresses in the network’s', () => {
    const programs = {
      mine: {
        object: 'my.o',
        globals: {
          all: [{ u16: 258 }, { mac: '02:00:00:00:00:01' }, { address: '10.0.0.1' }, { hex: 'ab cd' }],
        },
        maps: { ports: [{ key: { device: 'veth0' }, value: { u64: 1 } }] },
      },
    };
    const { namespaces } = scenarioFromJson(
      pairJson([PING], { xdp: 'mine:main' }, {}, { server: { programs } }),
      'file',
    );
    const [loaded] = namespaces[1]!.programs;
    expect(loaded).toMatchObject({ object: 'my.o', entries: [{ function: 'main', hook: 'xdp' }] });
    expect(loaded!.globals.all).toEqual(Uint8Array.of(2, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0xab, 0xcd));
    expect(loaded!.maps.ports).toEqual([
      { key: Uint8Array.of(10, 0, 0, 0), value: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) },
    ]);
  });

  it.each<[path: string, value: unknown, message: string]>([
    ['name', undefined, 'scenario.name: is missing'],
    ['surprise', 1, 'scenario.surprise: unknown field; known are $schema, name, description'],
    ['namespaces.a b', { devices: [] }, 'scenario.namespaces."a b": a namespace’s name has'],
    [
      'namespaces.client.devices.0.mac',
      '02:00',
      'scenario.namespaces.client.devices[0].mac: not a MAC address',
    ],
    [
      'namespaces.client.devices.0.mac',
      '03:00:00:00:00:01',
      'devices[0].mac: a device’s MAC address must not be a group address',
    ],
    [
      'namespaces.client.devices.0.name',
      'much-too-long-for-it',
      'expected a device’s name of at most 15 characters, got ',
    ],
    [
      'namespaces.client.devices.0.name',
      'x; reboot',
      'expected a device’s name of at most 15 characters, got ',
    ],
    ['namespaces.client.devices.0.ifindex', 1, 'devices[0].ifindex: expected an integer from 2'],
    [
      'namespaces.client.devices.0.mtu',
      9000,
      'devices[0].mtu: expected an integer from 68 to 3506, got 9000',
    ],
    [
      'namespaces.client.devices.0.addresses',
      ['10.11.1.300/24'],
      'devices[0].addresses[0]: not an IPv4 address',
    ],
    [
      'namespaces.client.devices.0.xdp',
      'nothing',
      'xdp: “nothing” is neither one of the namespace’s programs nor a built-in program',
    ],
    ['namespaces.client.devices.0.xdp', 'account', 'xdp: account has no function for xdp'],
    ['namespaces.client.devices.0.xdp', 'router:other', 'xdp: router has no function other for xdp'],
    [
      'namespaces.client.devices.0.xdp',
      { program: 'router', mode: 'offload' },
      'xdp.mode: expected one of native, generic, got "offload"',
    ],
    [
      'namespaces.client.devices.0.tcIngress',
      { program: 'account', mode: 'native' },
      'tcIngress.mode: only XDP has modes',
    ],
    ['namespaces.client.programs', { spare: { object: 'router' } }, 'programs.spare: it is on no device'],
    [
      'namespaces.client.routes',
      [{ to: '10.0.0.0/8', device: 'eth7' }],
      'routes[0].device: client has no device eth7',
    ],
    [
      'namespaces.client.routes',
      [{ to: '10.0.0.1/8', via: '10.11.1.1' }],
      'routes[0].to: 10.0.0.1/8 has bits behind its prefix',
    ],
    [
      'namespaces.client.routes',
      [{ to: '10.0.0.0/8', via: 'fc00::1' }],
      'routes[0].via: fc00::1 is of another family',
    ],
    [
      'namespaces.client.routes',
      [{ to: '10.0.0.0/8', via: '192.0.2.1' }],
      'client.routes: route 10.0.0.0/8: no device reaches its gateway',
    ],
    [
      'namespaces.client.neighbours',
      [{ device: 'eth7', address: '10.11.1.1', mac: '02:00:00:00:00:01' }],
      'neighbours[0].device: client has no device eth7',
    ],
    ['wires', [['client:veth0']], 'scenario.wires[0]: a wire has two ends'],
    ['wires', [['client:veth0', 'client:veth0']], 'is on two wires, or on both ends of one'],
    [
      'wires',
      [['client:veth0', 'moon:veth0']],
      '"moon:veth0" is not NAMESPACE:DEVICE with one of client, server',
    ],
    ['wires', [['client:veth0', 'server:veth9']], 'server has no device veth9'],
    ['wires', [], 'scenario.wires: client:veth0 is on no wire'],
    ['steps.0', {}, 'scenario.steps[0]: a step has exactly one of ping, udp, tcp, packet, frame'],
    ['steps.0', { ...PING, udp: PING.ping }, 'a step has exactly one of'],
    ['steps.0.ping.from', 'moon', 'scenario.steps[0].ping.from: no namespace moon'],
    ['steps.0.ping.to', '10.11.1', 'steps[0].ping.to: not an IPv4 address'],
    ['steps.0.ping.to', '192.0.2.1', 'steps[0].ping: client has no route to 192.0.2.1'],
    ['steps.0.ping.source', 'fc00::1', 'are of two families'],
    [
      'steps.0',
      { frame: { device: 'client:veth0', hex: '0011' } },
      'frame.hex: a frame of 2 bytes; the device takes 14 to 1514',
    ],
    [
      'steps.0',
      { frame: { device: 'client:veth0', hex: '0z' } },
      'frame.hex: expected an even number of hexadecimal digits, got "0z"',
    ],
    [
      'steps.0',
      { packet: { from: 'client', hex: '45' } },
      'steps[0].packet: it does not begin with a whole IPv4 or IPv6 header',
    ],
    [
      'steps.0',
      { packet: { from: 'client', hex: `4500001400000000400000000a0b01020a0b0101` } },
      'its identification is 0',
    ],
    [
      'steps.0',
      { packet: { from: 'client', hex: `4500001400010000400000000a0b01020a0b0101` } },
      'its header checksum is wrong',
    ],
  ])('refuses %s = %j', (path, value, message) => {
    const read = (): unknown => scenarioFromJson(changed(path, value), 'my.json');
    expect(read).toThrow(ScenarioError);
    expect(read).toThrow('my.json: ');
    expect(read).toThrow(message);
  });

  const DEVICE = 'namespaces.client.devices.0';
  const TO = { from: 'client', to: '10.11.1.1' };
  const frame = (length: number): object => ({ frame: { device: 'client:veth0', hex: '00'.repeat(length) } });
  const long = 'a'.repeat(15);

  it.each<[path: string, fits: unknown[], tooMuch: unknown[]]>([
    [`${DEVICE}.ifindex`, [2, 0x7fff_ffff], [1, 0, -1, 0x8000_0000, 2.5]],
    [`${DEVICE}.mtu`, [1280, 1500, 3506], [67, 1279, 3507]],
    [
      `${DEVICE}.mac`,
      ['02:00:00:00:00:0a', 'fe:ff:ff:ff:ff:ff'],
      ['01:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', '02:00'],
    ],
    [
      `${DEVICE}.addresses`,
      [['10.11.1.2/24', 'fe80::1/64']],
      [['10.11.1.2/33'], ['10.11.1.2/24', '10.11.1.2/24']],
    ],
    [`${DEVICE}.forwarding`, [true, false], [1, 'yes']],
    [
      `${DEVICE}.xdp`,
      ['xdp_pass', { program: 'xdp_pass', mode: 'generic' }],
      [5, null, { program: 'xdp_pass', mode: 'fast' }],
    ],
    [
      `${DEVICE}.tcEgress`,
      ['layer_coop', { program: 'layer_coop' }],
      ['xdp_pass', { program: 'layer_coop', mode: 'native' }],
    ],
    [
      'steps.0',
      [{ ping: { ...TO, payload: 0 } }, { udp: { ...TO, payload: 3400 } }],
      [{ ping: { ...TO, payload: 3401 } }, { udp: { ...TO, payload: -1 } }],
    ],
    [
      'steps.0',
      [{ ping: { ...TO, identifier: 65_535, sequence: 0 } }],
      [{ ping: { ...TO, identifier: 65_536 } }],
    ],
    [
      'steps.0',
      [{ tcp: { ...TO, flags: 255 } }],
      [{ tcp: { ...TO, flags: 256 } }, { tcp: { ...TO, payload: 1 } }],
    ],
    ['steps.0', [{ ping: { ...TO, ttl: 255 } }], [{ ping: { ...TO, ttl: 256 } }]],
    ['steps.0', [frame(14), frame(1514)], [frame(13), frame(1515), frame(0)]],
    [
      'namespaces.client.routes',
      [[{ to: '10.8.0.0/13', via: '10.11.1.9' }]],
      [[{ to: '10.8.0.1/13', via: '10.11.1.9' }], [{ to: '10.8.0.0/12', via: '10.11.1.9' }]],
    ],
    [
      'namespaces.client.routes',
      [
        [{ to: 'fd00::/9', via: 'fc00:dead:cafe:1::9' }],
        [{ to: 'fd00:8000::/17', via: 'fc00:dead:cafe:1::9' }],
      ],
      [[{ to: 'fd00::/7', via: 'fc00:dead:cafe:1::9' }], [{ to: 'fd00::/9', via: '10.11.1.9' }]],
    ],
    [
      'namespaces.client.routes',
      [[{ to: '192.0.2.1/32', device: 'veth0' }]],
      [[{ to: '192.0.2.1/32', device: 'veth7' }], [{ to: '192.0.2.1/32' }]],
    ],
    [
      'namespaces.client.neighbours',
      [[{ device: 'veth0', address: '10.11.1.7', mac: '02:00:00:00:00:07' }]],
      [[{ device: 'veth1', address: '10.11.1.7', mac: '02:00:00:00:00:07' }]],
    ],
  ])('takes %s up to its borders, and no further', (path, fits, tooMuch) => {
    for (const value of fits)
      expect(() => scenarioFromJson(changed(path, value), 'x'), JSON.stringify(value)).not.toThrow();
    for (const value of tooMuch)
      expect(() => scenarioFromJson(changed(path, value), 'x'), JSON.stringify(value)).toThrow(ScenarioError);
  });

  it('takes names of devices with up to 15 characters, of namespaces with up to 32', () => {
    const named = (device: string, namespace: string) => (): unknown => {
      const text = JSON.stringify(pairJson([PING]));
      return scenarioFromJson(
        JSON.parse(
          text
            .replace('"name":"veth0","ifindex":20', `"name":"${device}","ifindex":20`)
            .replace('client:veth0', `${namespace}:${device}`)
            .replace('"client":', `"${namespace}":`)
            .replace('"from":"client"', `"from":"${namespace}"`),
        ),
        'x',
      );
    };
    for (const device of [long, 'e', 'a.b-c@d_e']) expect(named(device, 'client')).not.toThrow();
    for (const device of [`${long}a`, '', '.a', 'a b', 'lo'])
      expect(named(device, 'client'), device).toThrow(ScenarioError);
    expect(named('veth0', `${long}${long}aa`)).not.toThrow();
    expect(named('veth0', `${long}${long}aaa`)).toThrow('has 1 to 32 letters');
  });

  it('takes numbers of every size up to their largest, in the machine’s order', () => {
    const bytes = (value: unknown): number[] => {
      const programs = { mine: { object: 'my.o', globals: { one: value } } };
      const json = pairJson([PING], { xdp: 'mine:main' }, {}, { server: { programs } });
      return [...scenarioFromJson(json, 'x').namespaces[1]!.programs[0]!.globals.one!];
    };
    expect([
      bytes({ u8: 255 }),
      bytes({ u16: 0xff01 }),
      bytes({ u32: 0xfefd_fc01 }),
      bytes({ u32: 1 }),
    ]).toEqual([[255], [1, 0xff], [1, 0xfc, 0xfd, 0xfe], [1, 0, 0, 0]]);
    expect(bytes({ u64: Number.MAX_SAFE_INTEGER })).toEqual([255, 255, 255, 255, 255, 255, 31, 0]);
    expect(bytes([{ address: 'fc00::1' }, [{ device: 'veth0' }], []])).toEqual([
      0xfc,
      ...Array(14).fill(0),
      1,
      10,
      0,
      0,
      0,
    ]);
    for (const value of [
      { u8: 256 },
      { u16: 65_536 },
      { u32: 2 ** 32 },
      { u64: 2 ** 53 },
      { u8: -1 },
      {},
      { u8: 1, u16: 1 },
      5,
      null,
      { toString: 1 },
      { device: 'veth9' },
    ])
      expect(() => bytes(value), JSON.stringify(value)).toThrow(ScenarioError);
  });

  it('names a function behind the last colon, or by the object’s file', () => {
    const attached = (xdp: string, programs: object): unknown => {
      const json = pairJson([PING], { xdp }, {}, { server: { programs } });
      const [device] = scenarioFromJson(json, 'x').namespaces[1]!.devices;
      return device!.xdp;
    };
    expect(attached('mine', { mine: { object: 'build/my.bpf.o' } })).toEqual({
      program: 'mine',
      function: 'my',
      mode: 'native',
    });
    expect(attached('mine', { mine: { object: 'my.o' } })).toMatchObject({ function: 'my' });
    expect(attached('a:b:main', { 'a:b': { object: 'my.o' } })).toMatchObject({
      program: 'a:b',
      function: 'main',
    });
    expect(attached('mine', { mine: { object: 'xdp_pass' } })).toMatchObject({ function: 'xdp_pass' });
    expect(() => attached('constructor', {})).toThrow(
      'neither one of the namespace’s programs nor a built-in program',
    );
  });

  it('keeps the names and expectations of steps', () => {
    const scenario = scenarioFromJson(
      pairJson([PING, { ...PING, name: 'again', expect: ['client:veth0 out'] }]),
      'x',
    );
    expect(scenario.steps.map(({ name, expect: expected }) => [name, expected])).toEqual([
      ['step 1', undefined],
      ['again', ['client:veth0 out']],
    ]);
    expect('expect' in scenario.steps[0]!).toBe(false);
  });

  it('refuses two devices with one ifindex', () => {
    const json = structuredClone(pairJson([PING])) as { namespaces: { client: { devices: object[] } } };
    const { devices } = json.namespaces.client;
    devices.push({ ...devices[0], name: 'veth1' });
    expect(() => scenarioFromJson(json, 'my.json')).toThrow(
      'devices[1].ifindex: another device has ifindex 20',
    );
  });

  it('reports text that is not JSON', () => {
    expect(() => parseScenario('{', 'my.json')).toThrow(/^my\.json: is not valid JSON: /);
  });
});
