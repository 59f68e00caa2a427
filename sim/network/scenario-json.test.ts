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
