/** What users and teams write down beside their programs: worlds, maps, configuration, baselines, scenarios, modules. */
import { readBaseline } from '../../../cli/check/baseline.ts';
import { plansOf } from '../../../cli/check/plans.ts';
import { readBase } from '../../../cli/commands/bench.ts';
import { loadConfig } from '../../../cli/config/load.ts';
import { readMaps, targetOf } from '../../../cli/input/map-file.ts';
import { builtInPrograms, resolvePrograms } from '../../../cli/input/program-source.ts';
import { placePrograms, worldsIn } from '../../../cli/input/world-options.ts';
import { NO_OPTIONS } from '../../../cli/test-support/no-options.ts';
import { parseState } from '../../../kernel/lab/state-schema.ts';
import { initialWorldFile } from '../../../sim/ebpf/world-file/init.ts';
import { OutcomeBatch } from '../../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../../sim/engines/vm.ts';
import { parseScenario } from '../../../sim/network/scenario-json.ts';
import { PacketBatch } from '../../../sim/packet/packet-batch.ts';
import { parseJsonc } from '../../../sim/runtime/jsonc.ts';
import type { Program } from '../../../sim/runtime/program.ts';
import { worldToJson } from '../../../sim/runtime/world-json.ts';
import { damageText } from '../damage/bytes.ts';
import { behindLabel, oneOf } from '../damage/damage.ts';
import { damageJson } from '../damage/json.ts';
import { damageWords } from '../damage/words.ts';
import { asFile, bytesOf, filesIn, type InputKind, textOf } from './input-kind.ts';

const damageAny = oneOf(damageText, damageWords, damageJson, damageJson, damageJson, damageJson);
const builtIn = builtInPrograms();

const SURROUNDINGS = {
  devices: [
    {
      name: 'eth0',
      ifindex: 2,
      mac: '02:00:00:00:00:02',
      mtu: 1500,
      addresses: ['10.0.0.1/24', 'fd00::1/64'],
    },
    { name: 'eth1', forwarding: true, addresses: ['10.1.0.1/16'] },
  ],
  routes: [
    { to: '10.2.0.0/16', via: '10.1.0.2', device: 'eth1' },
    { to: '0.0.0.0/0', via: '10.0.0.254', device: 'eth0', metric: 3, mtu: 1400 },
    { to: 'fd01::/64', type: 'blackhole' },
  ],
  neighbours: [{ address: '10.1.0.2', mac: '02:00:00:00:01:02', device: 'eth1' }],
  sockets: [{ protocol: 'tcp', local: '10.0.0.1:80', remote: '10.0.0.9:4000', mark: 3 }],
  time: '5s',
  tick: 1000,
  randomSeed: 7,
  hashSeed: 1,
  cpu: 0,
  hints: { ports: [80], addresses: ['10.0.0.1'], vlans: [7], tcpOptions: ['mss'], metadata: true },
};

/** Behind a program's name what `xdpsim world init` writes for it, with its examples, and what it leaves to the user. */
const worldFiles = builtIn.map((program): Uint8Array => {
  const examples = parseJsonc(initialWorldFile(targetOf(program), { name: program.name, plain: true }));
  return bytesOf(`${program.name} ${JSON.stringify({ ...(examples as object), ...SURROUNDINGS })}`);
});

/** The program meets the world, too. */
async function runInWorld(bytes: Uint8Array, scratch: string): Promise<void> {
  const text = textOf(bytes);
  const blank = text.indexOf(' ');
  const program = builtIn.find(({ name }) => name === text.slice(0, blank))!;
  const world = asFile(bytesOf(text.slice(blank)), scratch, '.world.jsonc');
  const [placed] = placePrograms([program], { world, map: [], maxEntries: [], aim: [] });
  for (const { world: stated } of worldsIn(placed!)) {
    worldToJson(stated);
    const session = await createVmEngine().open(placed!.program, stated);
    const input = new PacketBatch(1);
    input.push({ packet: new Uint8Array(60) });
    await session.run(input, new OutcomeBatch(1));
    await session.close();
  }
}

const COUNTS = targetOf({
  name: 'counts',
  entries: [],
  definition: { maps: [{ name: 'counts', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 16 }] },
} as unknown as Program);

const CONFIG = {
  $schema: './config.json',
  compiler: { clang: 'clang-14', cflags: ['-Iinclude', '-DVERSION=3'] },
  programs: [
    'icmp_echo',
    {
      object: 'router',
      world: 'worlds/router.jsonc',
      maps: { rules: 'worlds/rules.json' },
      maxEntries: { flows: 4096 },
      aim: ['port=8443,vlan=100'],
      cflags: ['-DSTRICT'],
      minCoverage: 95,
      off: { 'ttl/not-lowered': 'a bridge' },
    },
  ],
  time: '60s',
  minCoverage: 80,
  asKernel: ['6.1', '6.12'],
  sweeps: true,
  off: { counter: 'approximate on purpose' },
  seed: 'ci',
  baseline: 'xdpsim.baseline.json',
  report: 'corpus/regressions',
};

/** Without files that are not there. */
const PLAIN_CONFIG = {
  ...CONFIG,
  programs: ['icmp_echo', { object: 'router', aim: ['port=1'], off: { counter: 'a reason' }, time: '5s' }],
};

async function plan(bytes: Uint8Array, scratch: string): Promise<void> {
  const loaded = await loadConfig(asFile(bytes, scratch, '.config.jsonc'));
  for (const { plan: one } of plansOf([], NO_OPTIONS, loaded)) {
    const named = await resolvePrograms(one.programs);
    placePrograms(named, one.surroundings);
  }
}

const BASELINE = {
  $schema: './docs/schema/baseline.json',
  version: 1,
  findings: [
    {
      fingerprint: 'a1b2c3d4',
      program: 'my.o',
      invariant: 'checksum/ipv4',
      file: 'my.bpf.c',
      line: 42,
      summary: 'a checksum',
      reason: 'accepted',
    },
  ],
};

const LAB = {
  version: 1,
  name: 'lab',
  namespace: 'xdpsim-lab',
  pinRoot: '/sys/fs/bpf/xdpsim-lab',
  environments: [
    { name: 'left', number: 1, namespace: 'left', ipv4: true, vlan: false },
    { name: 'right', number: 2, namespace: 'right', ipv4: false, vlan: true },
  ],
  attachments: [{ device: 'left', function: 'f', hook: 'xdp', mode: 'native', id: 17, object: '/tmp/any.o' }],
};

const BENCH = {
  version: 1,
  machine: { processor: 'a processor', cores: 2, kernel: '6.18', node: 'v20.20.2' },
  results: [
    { name: 'testrun/c', of: 'packets per second', runs: 5, ratio: 0.91, min: 0.9, max: 0.93 },
    {
      name: 'model',
      of: 'packets per second',
      runs: 5,
      value: 1e6,
      min: 9e5,
      max: 1.1e6,
      parts: { loop: -3 },
    },
  ],
  skipped: [{ name: 'veth/c', reason: 'not running as root', remedy: 'run it with sudo' }],
};

let modules = 0;

/** Each under another name: Node keeps what it has imported. */
async function importModule(bytes: Uint8Array, scratch: string): Promise<void> {
  await resolvePrograms([asFile(bytes, scratch, `-${modules++}.mjs`)]);
}

const MODULE = `export default { name: 'm', summary: 's', description: 'd',
  entries: [{ function: 'f', hook: 'xdp', model: () => 2 }],
  maps: [{ name: 'counts', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 4 }],
  worlds: [{ name: 'w', world: { cpu: 1, devices: [] } }],
  examples: [{ name: 'e', stimulus: { packet: new Uint8Array(20) }, action: 2 }],
  hints: { ports: [80], addresses: ['10.0.0.1'] } };
`;

const json = (value: unknown): Uint8Array => bytesOf(JSON.stringify(value));

export const SETTINGS_KINDS: readonly InputKind[] = [
  {
    name: 'world files',
    share: 12,
    seeds: worldFiles,
    damage: behindLabel(damageAny),
    read: runInWorld,
  },
  {
    name: 'map files',
    share: 30,
    seeds: [
      json([
        { key: '0a000001', value: 17 },
        { key: ['0x0a', 0, 0, 2], value: '0011223344556677' },
      ]),
    ],
    damage: damageAny,
    read: (bytes, scratch) => readMaps([`counts=${asFile(bytes, scratch, '.json')}`], COUNTS),
  },
  {
    name: 'configuration',
    share: 20,
    seeds: [json(PLAIN_CONFIG), json(CONFIG)],
    damage: damageAny,
    read: plan,
  },
  {
    name: 'baselines',
    share: 20,
    seeds: [json(BASELINE)],
    damage: damageAny,
    read: (bytes, scratch) => readBaseline(asFile(bytes, scratch, '.baseline.json')),
  },
  {
    name: 'lab states',
    share: 15,
    seeds: [json(LAB)],
    damage: damageJson,
    read: (bytes) => parseState(parseJsonc(textOf(bytes)), 'lab'),
  },
  {
    name: 'bench reports',
    share: 15,
    seeds: [json(BENCH)],
    damage: damageAny,
    read: (bytes, scratch) => readBase(asFile(bytes, scratch, '.bench.json')),
  },
  {
    name: 'scenarios',
    share: 100,
    seeds: filesIn('corpus/scenarios', /\.json$/),
    damage: oneOf(damageText, damageJson),
    read: (bytes) => parseScenario(textOf(bytes), 'attacked.json'),
  },
  {
    name: 'modules',
    share: 3,
    seeds: [bytesOf(MODULE)],
    damage: oneOf(damageText, damageWords),
    read: importModule,
  },
];
