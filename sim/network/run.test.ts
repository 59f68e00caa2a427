import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createModelEngine } from '../engines/model.ts';
import { createVmEngine } from '../engines/vm.ts';
import { fromHex, readU64le } from '../packet/bytes.ts';
import { compareRuns } from './compare.ts';
import { comparePaths, type Hop, unexpected } from './path.ts';
import { stepText } from './render.ts';
import { type ScenarioRun, simulate } from './run.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario, scenarioFromJson } from './scenario-json.ts';
import { pair } from './test-support/programs.ts';

const FOLDER = new URL('../../corpus/scenarios/', import.meta.url);
const names = readdirSync(FOLDER).map((file) => file.replace('.json', ''));

function scenario(name: string): Scenario {
  return parseScenario(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'), name);
}

function objectsOf({ namespaces }: Scenario): Map<string, Uint8Array> {
  const used = namespaces.flatMap(({ programs }) => programs.map(({ object }) => object));
  const bytes = (object: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`../../bpf/built/${object}.o`, import.meta.url)));
  return new Map(used.map((object) => [object, bytes(object)]));
}

function run(one: Scenario): Promise<ScenarioRun> {
  return simulate(one, createVmEngine(), objectsOf(one));
}

/** A map's entries at the end: key and value in hexadecimal. */
function entries(ran: ScenarioRun, map: string): { key: Uint8Array; value: Uint8Array }[] {
  const found = ran.maps.flatMap(({ maps }) => maps).find(({ definition }) => definition.name === map);
  return [...found!.list()];
}

describe.each(names)('the scenario %s', (name) => {
  it('bears its file’s name', () => {
    expect(scenario(name).name).toBe(name);
  });

  it('goes the expected way, step by step', async () => {
    const one = scenario(name);
    const ran = await run(one);
    for (const [index, { name, expect: expected }] of one.steps.entries()) {
      expect(expected, `${name} says what it expects`).toBeDefined();
      expect(unexpected(expected!, ran.steps[index]!.path), name).toBeUndefined();
    }
  });

  it('goes the same way with the models in place of the objects', async () => {
    const one = scenario(name);
    const modelled = await simulate(one, createModelEngine(), new Map());
    expect(compareRuns(one, await run(one), modelled)).toBeUndefined();
  });

  it('gives the same twice', async () => {
    const one = scenario(name);
    expect(await run(one)).toEqual(await run(one));
  });
});

describe.each(['stack', 'forwarding'])('the recording of Linux in the scenario %s', (name) => {
  it('is what the simulated stacks do, byte for byte', async () => {
    const file = new URL(`./test-support/${name}.kernel.json`, import.meta.url);
    const recording = JSON.parse(readFileSync(file, 'utf8')) as { kernel: string; steps: string[][] };
    const one = scenario(name);
    const { steps } = await run(one);
    expect(recording.steps).toHaveLength(steps.length);
    for (const [index, lines] of recording.steps.entries()) {
      const out = steps[index]!.path.filter(({ direction }) => direction === 'out');
      expect(comparePaths(out, lines.map(recordedHop)), one.steps[index]!.name).toBeUndefined();
    }
  });
});

/** `left:veth0 out 0200…`. */
function recordedHop(line: string): Hop {
  const [namespace = '', device = '', , bytes = ''] = line.split(/[: ]/);
  return { namespace, device, direction: 'out', bytes: fromHex(bytes), mark: 0 };
}

describe('what the programs of the scenarios leave behind', () => {
  it('account: five pings are 490 bytes in and 490 out', async () => {
    const values = entries(await run(scenario('account')), 'acc_map').map(({ value }) => readU64le(value, 0));
    expect(values).toEqual([490n, 490n]);
  });

  it('layer_coop: packets and bytes of both directions, for IPv4 alone', async () => {
    const rows = entries(await run(scenario('layer_coop')), 'trackers');
    expect(rows.map(({ key }) => [...key])).toEqual([[10, 11, 1, 1, 10, 11, 1, 2]]);
    const counts = [0, 8, 16, 24].map((at) => readU64le(rows[0]!.value, at));
    // Out: 98 + 1042 + 78 (an error with 8 + 28 + 8 bytes) + 98. In: 98 + 1042 + 50 + 98.
    expect(counts).toEqual([4n, 4n, 98n + 1042n + 78n + 98n, 98n + 1042n + 50n + 98n]);
  });

  it('meta_mark: 42 where XDP has left metadata, 41 where it has not', async () => {
    const { steps } = await run(scenario('meta_mark'));
    const marks = steps[0]!.path.filter(({ mark }) => mark !== 0).map((hop) => [hop.device, hop.mark]);
    // Out of the first router alone: no wire carries a mark to the next.
    expect(marks).toEqual([
      ['middle', 42],
      ['left', 41],
    ]);
    const lines = steps[0]!.events.flatMap((event) => (event.kind === 'program' ? event.trace : []));
    expect(lines).toContain('[XDP] metadata = 42');
  });

  it('lost-frames: says why', async () => {
    const { steps } = await run(scenario('lost-frames'));
    expect(stepText(steps[0]!).join('\n')).toContain('a native XDP program at the other end is needed');
    expect(stepText(steps[1]!).at(-1)).toContain('gets the reply');
  });
});

describe('the simulated network', () => {
  const ping = { ping: { from: 'client', to: '10.11.1.1' } };

  it('gives up where frames run in circles', async () => {
    const mirror = {
      programs: {
        redirect: {
          globals: {
            redirect_ifindex: { device: 'veth0' },
            redirect_source: { mac: '02:00:00:00:00:01' },
            redirect_destination: { mac: '02:00:00:00:00:02' },
          },
        },
      },
    };
    const xdp = { xdp: 'redirect' };
    const ran = await run(pair([ping], xdp, xdp, { client: mirror, server: mirror }));
    expect(stepText(ran.steps[0]!).at(-1)).toContain('frames run in circles: given up');
  });

  it('drops what is redirected to no device', async () => {
    const nowhere = { programs: { redirect: { globals: { redirect_ifindex: { u32: 77 } } } } };
    const ran = await run(pair([ping], { xdp: 'redirect' }, {}, { server: nowhere }));
    expect(stepText(ran.steps[0]!)).toContain('    server:veth0 there is no device 77: dropped');
  });

  it('drops what is too long for the other end', async () => {
    const frame = { frame: { device: 'client:veth0', hex: '00'.repeat(1514) } };
    const ran = await run(pair([frame], { mtu: 1400 }));
    expect(stepText(ran.steps[0]!)).toEqual([
      '    client:veth0 1514 bytes do not go over this wire: dropped',
    ]);
    expect(ran.steps[0]!.path).toEqual([]);
  });

  it('shows a frame with a cut-off VLAN tag to XDP alone', async () => {
    const frame = { frame: { device: 'client:veth0', hex: `${'02'.repeat(12)}8100000008` } };
    expect((await run(pair([frame]))).steps[0]!.path).toEqual([]);
    const { steps } = await run(pair([frame], { xdp: 'xdp_pass' }));
    expect(steps[0]!.path.map(({ direction }) => direction)).toEqual(['out', 'in']);
  });

  it('tells a program of neighbours that the stack has learnt', async () => {
    const hosts = [1, 2].map((network) => ({
      devices: [
        {
          name: 'veth0',
          ifindex: 5,
          mac: `02:00:00:00:0${network}:02`,
          addresses: [`10.11.${network}.2/24`],
          xdp: 'xdp_pass',
        },
      ],
      routes: [{ to: '0.0.0.0/0', via: `10.11.${network}.1` }],
    }));
    const outer = [1, 2].map((network) => ({
      name: `to${network}`,
      ifindex: 10 + network,
      mac: `02:00:00:00:0${network}:01`,
      addresses: [`10.11.${network}.1/24`],
      forwarding: true,
      xdp: 'router',
    }));
    const ports = outer.map(({ name }) => ({ key: { device: name }, value: { device: name } }));
    const two = { from: 'left', to: '10.11.2.2' };
    const one = scenarioFromJson(
      {
        name: 'learning',
        description: '',
        namespaces: {
          left: hosts[0],
          right: hosts[1],
          middle: { devices: outer, programs: { router: { maps: { tx_port: ports } } } },
        },
        wires: [
          ['left:veth0', 'middle:to1'],
          ['right:veth0', 'middle:to2'],
        ],
        steps: [{ ping: two }, { ping: two }],
      },
      'test',
    );
    const ran = await run(one);
    const verdicts = ran.steps.map(({ events }) =>
      events.flatMap((event) =>
        event.kind === 'program' && event.function === 'router' ? [event.action] : [],
      ),
    );
    // ARP, the ping to the unknown neighbour; then what comes back finds the left host, which has asked.
    expect(verdicts[0]).toContain('XDP_PASS');
    expect(verdicts[1]).toEqual(['XDP_REDIRECT', 'XDP_REDIRECT']);
  });

  it('refuses a program whose object is missing, or whose world does not fit it', async () => {
    const one = pair(
      [ping],
      { xdp: 'mine:main' },
      {},
      { server: { programs: { mine: { object: 'my.o' } } } },
    );
    await expect(simulate(one, createVmEngine(), new Map())).rejects.toThrow(
      'the object my.o of program mine',
    );
    const bad = { programs: { redirect: { globals: { nonsense: { u32: 1 } } } } };
    await expect(run(pair([ping], { xdp: 'redirect' }, {}, { server: bad }))).rejects.toThrow('nonsense');
  });
});
