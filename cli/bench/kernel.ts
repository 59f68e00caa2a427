/** The measures against C programs that do the same through libbpf or on a veth. */
import { cLoopRacer, testRunRacer } from '../../kernel/bench/testrun-rates.ts';
import { pingFrame, vethLoopRacer, vethRacer } from '../../kernel/bench/veth.ts';
import { createTestRunEngine } from '../../kernel/testrun/testrun.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { verify } from '../../verify/run.ts';
import { type Measure, processorTime } from './measure.ts';
import { generatedBatch, perProcessorSecond } from './userspace.ts';

const PER_SECOND = 'packets per second';
/** Passes over a batch, as large as those of `verify`, that one figure takes. */
const PASSES = 256;
const PING_PACKETS = 2048;
/** Passes over a window of 256 frames. */
const VETH_PASSES = 256;
/** Packets of one run of `verify`, and passes over a batch of 4096 packets that make as many. */
const PIPELINE_PACKETS = 262_144;
const PIPELINE_PASSES = 64;

/** The engine `testrun` against the same loop in C, on pings of 98 bytes. */
export async function testRunMeasure(program: Program): Promise<Measure> {
  const batch = new PacketBatch(PING_PACKETS);
  const frame = pingFrame();
  while (batch.count < PING_PACKETS) batch.push({ packet: frame });
  const c = cLoopRacer(program, batch);
  const engine = await testRunRacer(program, batch);
  return {
    name: 'testrun/c',
    of: PER_SECOND,
    ratio: 'engine testrun over the C loop',
    async take() {
      const parts = { c: await c.rate(PASSES), testrun: await engine.rate(PASSES) };
      return { value: parts.testrun / parts.c, parts };
    },
    async close() {
      await c.close();
      await engine.close();
    },
  };
}

/** Generate, model, test run, compare: all of `verify`, against the bare C loop on generated packets. */
export function pipelineMeasure(program: Program): Measure {
  const c = cLoopRacer(program, generatedBatch(program));
  return {
    name: 'pipeline/c',
    of: PER_SECOND,
    ratio: 'generate + model + testrun + compare over the C loop',
    async take() {
      const loop = await c.rate(PIPELINE_PASSES);
      const start = processorTime();
      const report = await verify({
        program,
        engines: [createModelEngine(), createTestRunEngine()],
        seed: 'bench',
        runs: PIPELINE_PACKETS,
        shrink: false,
      });
      if (report.divergences.length > 0) throw new Error('model and kernel differ: run verify');
      const idle = report.engines.find(({ status }) => status !== 'ran');
      if (idle !== undefined)
        throw new EngineError('environment', `${idle.name} did not run: ${idle.reason}`);
      const parts = { c: loop, pipeline: perProcessorSecond(report.packets, start) };
      return { value: parts.pipeline / parts.c, parts };
    },
    close: () => c.close(),
  };
}

/** Round trips over a veth against a C program that makes the same ones. */
export async function vethMeasure(program: Program): Promise<Measure> {
  const frame = pingFrame();
  const c = await vethLoopRacer(program, frame);
  const engine = await vethRacer(program, frame);
  return {
    name: 'veth/c',
    of: PER_SECOND,
    ratio: 'engine veth over the C loop, round trips',
    async take() {
      const parts = { c: await c.rate(VETH_PASSES), veth: await engine.rate(VETH_PASSES) };
      return { value: parts.veth / parts.c, parts };
    },
    async close() {
      await c.close();
      await engine.close();
    },
  };
}
