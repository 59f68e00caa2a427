/**
 * The model of `bpf_fib_lookup` against the kernel's own, over generated routing tables: which routes they take,
 * every result and field of the helper, and what the router makes of it.
 *
 * More worlds, and others: XDPSIM_FIB_WORLDS=500 XDPSIM_FIB_SEED=text npx vitest run kernel-tests/fib-lookup
 */
import { expect, it } from 'vitest';
import { builtInPrograms } from '../cli/input/program-source.ts';
import { fork, seedFromText } from '../corpus/generate/random.ts';
import { WorldPackets } from '../corpus/generate/test-support/world-packets.ts';
import { generateWorld } from '../corpus/generate/test-support/worlds.ts';
import { createWorldNetwork, routeCommand } from '../kernel/network/world-network.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import type { Program } from '../sim/runtime/program.ts';
import { RoutingTables } from '../sim/runtime/routing-tables.ts';
import type { Device, Route } from '../sim/runtime/world.ts';
import { worldToJson } from '../sim/runtime/world-json.ts';
import { type PacketSource, verify } from '../verify/run.ts';
import { FibQuestions, fibQuestion, type Tally } from './test-support/fib-question.ts';
import { amount } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SEED = process.env.XDPSIM_FIB_SEED ?? 'fib-lookup';
const WORLDS = Number(process.env.XDPSIM_FIB_WORLDS ?? amount(24, 100));
const PACKETS = 500;
const TIMEOUT = 600_000 + WORLDS * 1000;

const seed = seedFromText(SEED);

/** IPv6 is off in a network where nothing says otherwise; a forwarding device says so, and this does no more. */
const SPEAKS_IPV6: Device = {
  ifindex: 5,
  name: 'six',
  mac: Uint8Array.of(2, 0, 0, 0, 0, 5),
  forwarding: true,
};

/** Everything that says which world it is, for whoever reads a failure. */
function place(index: number): string {
  return `seed ${SEED}, world ${index}`;
}

/** Holds the engines against each other; a difference is reported with the smallest world that shows it. */
async function agree(
  index: number,
  program: Program,
  source: PacketSource,
  engines: readonly Engine[],
): Promise<void> {
  const report = await verify({
    program,
    engines,
    seed: `${SEED} ${index}`,
    source,
    runs: PACKETS,
    batchSize: PACKETS,
    // The world is what has to get small.
    shrink: { simplify: () => [] },
  });
  const found = report.divergences.map(({ summary, case: { world } }) => ({
    summary,
    world: JSON.stringify(worldToJson(world)),
  }));
  expect(found, place(index)).toEqual([]);
  for (const engine of report.engines) {
    expect(engine.reason, `${place(index)}, engine ${engine.name}`).toBeUndefined();
    expect(engine.packets, `${place(index)}, engine ${engine.name}`).toBe(PACKETS);
  }
}

describeKernel('routes of generated worlds', ['root'], () => {
  it(
    'are taken and refused one by one as the kernel does',
    async () => {
      let taken = 0;
      let refused = 0;
      for (let index = 0; index < WORLDS; index++) {
        const { devices = [], routes = [] } = generateWorld(fork(seed, 1), index, { wild: true });
        const names = new Map([[1, 'lo'], ...devices.map(({ ifindex, name }) => [ifindex, name] as const)]);
        const network = await createWorldNetwork({ devices: [...devices, SPEAKS_IPV6] });
        try {
          const kept: Route[] = [];
          for (const route of routes) {
            const model = problem(() => new RoutingTables({ devices, routes: [...kept, route] }));
            const kernel = problem(() => network.inside.ip([routeCommand(route, names)]));
            const both = JSON.stringify({ devices: worldToJson({ devices }), kept, route });
            expect(
              model === undefined,
              `${place(index)}: ${model ?? 'taken'}, ${kernel ?? 'taken'}\n${both}`,
            ).toBe(kernel === undefined);
            if (model === undefined) {
              taken++;
              kept.push(route);
            } else refused++;
          }
        } finally {
          network.close();
        }
      }
      // Neither side of the question is rare.
      expect(taken).toBeGreaterThan(WORLDS);
      expect(refused).toBeGreaterThan(WORLDS);
    },
    TIMEOUT,
  );
});

function problem(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describeKernel('bpf_fib_lookup in generated worlds', ['testrun', 'compiler'], () => {
  const tally: Tally = new Map();

  it(
    'gives the same result, device, addresses, metric and MTU as the kernel’s',
    async () => {
      const engines = [createModelEngine(), createVmEngine(), createTestRunEngine()];
      for (let index = 0; index < WORLDS; index++) {
        const world = generateWorld(seed, index);
        await agree(index, fibQuestion(world, tally), new FibQuestions(world), engines);
      }
    },
    TIMEOUT,
  );

  // 6 (UNSUPP_LWT) takes a route with an encapsulation, 9 (NO_SRC_ADDR) the flag BPF_FIB_LOOKUP_SRC: a world
  // states no such routes, and no program here sets that flag.
  it.each([
    ['SUCCESS', 0],
    ['BLACKHOLE', 1],
    ['UNREACHABLE', 2],
    ['PROHIBIT', 3],
    ['NOT_FWDED', 4],
    ['FWD_DISABLED', 5],
    ['NO_NEIGH', 7],
    ['FRAG_NEEDED', 8],
    ['-ENODEV', -19],
  ])('has met %s in both families', (_, result) => {
    expect(tally.get(`4:${result}`) ?? 0, `seed ${SEED}`).toBeGreaterThan(10);
    expect(tally.get(`6:${result}`) ?? 0, `seed ${SEED}`).toBeGreaterThan(10);
  });

  it('has met families that it does not know, and results 6 and 9 never', () => {
    expect(tally.get('-:-97') ?? 0, `seed ${SEED}`).toBeGreaterThan(10);
    for (const family of [4, 6])
      for (const result of [6, 9]) expect(tally.get(`${family}:${result}`)).toBeUndefined();
  });
});

describeKernel('the router in generated worlds', ['testrun'], () => {
  it(
    'does with every packet what its model does',
    async () => {
      const router = builtInPrograms().find((program) => program.name === 'router')!;
      const engines = [createModelEngine(), createVmEngine(), createTestRunEngine()];
      for (let index = 0; index < WORLDS; index++) {
        const world = generateWorld(seed, index, { deviceMap: 'tx_port' });
        const definition = { ...router.definition!, worlds: [{ name: 'generated', world }] };
        await agree(index, { ...router, definition }, new WorldPackets(world), engines);
      }
    },
    TIMEOUT,
  );
});
