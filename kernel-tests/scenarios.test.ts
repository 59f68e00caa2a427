import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { type PacketLimits, TEST_RUN_LIMITS } from '../corpus/generate/packet-limits.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { runInKernel } from '../kernel/scenario/run.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { compareRuns } from '../sim/network/compare.ts';
import { unexpected } from '../sim/network/path.ts';
import { stepText } from '../sim/network/render.ts';
import { type ScenarioRun, simulate } from '../sim/network/run.ts';
import type { Scenario, Step } from '../sim/network/scenario.ts';
import { parseScenario } from '../sim/network/scenario-json.ts';
import { pair } from '../sim/network/test-support/programs.ts';
import { readU16 } from '../sim/packet/bytes.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const FOLDER = new URL('../corpus/scenarios/', import.meta.url);
const names = readdirSync(FOLDER).map((file) => file.replace('.json', ''));

function load(name: string): Scenario {
  return parseScenario(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8'), name);
}

function objectsOf({ namespaces }: Scenario): Map<string, Uint8Array> {
  const used = namespaces.flatMap(({ programs }) => programs.map(({ object }) => object));
  const bytes = (object: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`../bpf/built/${object}.o`, import.meta.url)));
  return new Map(used.map((object) => [object, bytes(object)]));
}

const simulated = (scenario: Scenario): Promise<ScenarioRun> =>
  simulate(scenario, createVmEngine(), objectsOf(scenario));

/** `XDPSIM_SCENARIO_ROUNDS=200` asks for more. */
const ROUNDS = Number(process.env.XDPSIM_SCENARIO_ROUNDS ?? 5);

describeKernel('scenarios', ['root', 'testrun'], () => {
  describe.each(names)('%s', (name) => {
    it('goes in the kernel as in the simulation, byte for byte, and as it is expected to', async () => {
      const scenario = load(name);
      const real = runInKernel(scenario, objectsOf(scenario));
      expect(compareRuns(scenario, await simulated(scenario), real)).toBeUndefined();
      for (const [index, step] of scenario.steps.entries()) {
        expect(unexpected(step.expect!, real.steps[index]!.path), step.name).toBeUndefined();
      }
      expect(real.maps.length).toBe(scenario.namespaces.flatMap(({ programs }) => programs).length);
    });
  });

  it('goes the same way again and again', async () => {
    const scenario = load('router');
    const expected = await simulated(scenario);
    for (let run = 0; run < ROUNDS; run++) {
      const difference = compareRuns(scenario, expected, runInKernel(scenario, objectsOf(scenario)));
      expect(difference, `run ${run + 1}`).toBeUndefined();
    }
  });

  it('differs, and says where, when the kernel runs another program than the simulation', async () => {
    const ping = { ping: { from: 'client', to: '10.11.1.1' } };
    const [answering, passing] = ['icmp_echo', 'xdp_pass'].map((xdp) =>
      pair([ping], { xdp }, { xdp: 'xdp_pass' }),
    );
    const real = runInKernel(passing!, objectsOf(passing!));
    const difference = compareRuns(answering!, await simulated(answering!), real);
    // The second frame out of the server, behind the answer to ARP: its stack's reply has no DF.
    expect(difference).toMatchObject({ step: 0, summary: 'frame 2 at server:veth0 out: the bytes differ' });
    expect(difference!.details.join('\n')).toMatch(/ipv4\.dontFragment|ipv4\.flags/i);
  });

  it('differs where the same frames leave other counts in a map', async () => {
    const scenario = load('account');
    const fewer = { ...scenario, steps: scenario.steps.slice(1) };
    const real = runInKernel(fewer, objectsOf(fewer));
    const padded = { ...real, steps: [real.steps[0]!, ...real.steps] };
    const expected = await simulated(scenario);
    // The paths are made to agree, so that only the map can differ.
    const steps = padded.steps.map((step, index) => ({ ...step, path: expected.steps[index]!.path }));
    const difference = compareRuns(scenario, expected, { ...padded, steps });
    expect(difference?.summary).toBe('map acc_map of account in server differs');
    expect(difference?.details[0]).toBe('key 00000000: ea01000000000000 in sim, 8801000000000000 in kernel');
  });

  it('ends with an error where frames run in circles', () => {
    const globals = {
      redirect_ifindex: { device: 'veth0' },
      redirect_source: { mac: '02:00:00:00:00:01' },
      redirect_destination: { mac: '02:00:00:00:00:02' },
    };
    const mirror = { programs: { redirect: { globals } } };
    const ping = { ping: { from: 'client', to: '10.11.1.1' } };
    const xdp = { xdp: 'redirect' };
    const scenario = pair([ping], xdp, xdp, { client: mirror, server: mirror });
    expect(() => runInKernel(scenario, objectsOf(scenario))).toThrow('there may be a forwarding loop');
  });

  it('names the program that the verifier or the loader refuses', () => {
    const programs = { mine: { object: 'my.o' } };
    const scenario = pair([], { xdp: 'mine:main' }, {}, { server: { programs } });
    const load = (): ScenarioRun => runInKernel(scenario, new Map([['my.o', new Uint8Array(64)]]));
    expect(load).toThrow(/my\.o/);
  });

  describe('the stack, under generated frames', () => {
    // The last has ARP of IEEE 802's hardware type, which Linux answers on Ethernet.
    it.each(['one', 'two', 'three', '30'])('deals with each as Linux does (seed %s)', async (seed) => {
      const base = load('forwarding');
      const scenario = await wholly({ ...base, steps: [...base.steps.slice(0, 2), ...generated(seed)] });
      expect(scenario.steps.length).toBeGreaterThan(FRAMES / 2);
      const expected = await simulated(scenario);
      const answered = expected.steps.filter(({ path }) => path.length > 2);
      expect(answered.length).toBeGreaterThan(FRAMES / 20);
      const real = runInKernel(scenario, new Map());
      const difference = compareRuns(scenario, expected, real);
      const step = difference?.step ?? 0;
      expect(
        difference && {
          difference,
          sim: stepText(expected.steps[step]!),
          kernel: stepText(real.steps[step]!),
        },
      ).toBeUndefined();
    });
  });
});

const FRAMES = 400;

/** Frames from the left host to the router in the middle, aimed at all that its tables hold. */
function generated(seed: string): Step[] {
  const limits: PacketLimits = { ...TEST_RUN_LIMITS.xdp, maxLength: 1514, maxMetadata: 0 };
  const addresses = [
    ...['1.1', '1.2', '2.1', '2.2', '1.7', '1.255', '2.255'].map((rest) => `10.11.${rest}`),
    ...['10.30.0.1', '10.31.0.1', '10.32.0.1', '10.33.0.1', '192.0.2.1', '224.0.0.1', '255.255.255.255'],
    ...['1::1', '1::2', '2::1', '2::2'].map((rest) => `fc00:dead:cafe:${rest}`),
    ...['fc00:30::1', 'fc00:31::1', 'fc00:32::1', 'fc00:33::1', '2001:db8::1'],
    ...['ff02::1', 'ff02::1:ff00:1', 'fe80::1'],
  ];
  const batch = new PacketBatch(FRAMES);
  const byHook = { xdp: limits, 'tc-ingress': limits, 'tc-egress': limits };
  new PacketGenerator({ kinds: { noise: 0.2 }, addresses }).fill(
    batch,
    seedFromText(seed),
    0,
    FRAMES,
    byHook,
  );
  return Array.from({ length: FRAMES }, (_, index): Step => {
    const bytes = batch.stimulus(index).packet;
    // Groups stay groups; all else is for the router's MAC, or it would be the end of it.
    if ((bytes[0]! & 1) === 0) bytes.set([2, 0, 0, 0, 1, 1], 0);
    bytes.set([2, 0, 0, 0, 1, 2], 6);
    return {
      name: `frame ${index}`,
      send: { kind: 'frame', place: { namespace: 'left', device: 'veth0' }, bytes },
    };
  });
}

/**
 * Without what the simulation does not claim to do: that would change what comes after it. How many route errors
 * the kernel has left for a sender depends on the time, so none may be used up.
 */
async function wholly(scenario: Scenario): Promise<Scenario> {
  const plain = scenario.steps.filter(({ send }) => send.kind === 'packet' || !isIpv4WithOptions(send.bytes));
  const { steps } = await simulated({ ...scenario, steps: plain });
  const kept = plain.filter((_, index) => {
    const text = stepText(steps[index]!).join('\n');
    return !/not simulated|says no more/.test(text);
  });
  const next = { ...scenario, steps: kept };
  return kept.length === scenario.steps.length ? scenario : wholly(next);
}

/** It uses up a route error before its options are looked at. */
function isIpv4WithOptions(bytes: Uint8Array): boolean {
  return readU16(bytes, 12) === 0x0800 && (bytes[14]! & 0x0f) > 5;
}
