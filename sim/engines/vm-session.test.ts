/** What a session of the interpreter reports of each run, step by step, through single and chained entries. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RunTrace } from '../ebpf/interpreter/trace.ts';
import { ethernet } from '../packet/build.ts';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import { metaMark } from '../programs/meta_mark.ts';
import { portFilter } from '../programs/port_filter.ts';
import type { Program, ProgramDefinition } from '../runtime/program.ts';
import { OutcomeBatch } from './outcome-batch.ts';
import { createVmEngine, type VmOptions } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

function programOf({ name, entries }: ProgramDefinition): Program {
  const path = new URL(`../../bpf/built/${name}.o`, import.meta.url);
  return { name, entries, object: new Uint8Array(readFileSync(path)) };
}

const XDP = 0;
const TC = 1;
const BOTH = 2;
const MARK = programOf(metaMark);
const packet = ethernet().ipv4().udp().bytes();

function batchOf(...stimuli: Stimulus[]): PacketBatch {
  const batch = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) batch.push(stimulus);
  return batch;
}

/** The traces of all runs; a chained entry is run once by XDP and, where that passes the packet on, once by TC. */
async function tracesOf(...stimuli: Stimulus[]): Promise<RunTrace[]> {
  const traces: RunTrace[] = [];
  const session = await createVmEngine({ onTrace: (trace) => traces.push(trace) }).open(MARK, {});
  await session.run(batchOf(...stimuli), new OutcomeBatch(stimuli.length));
  return traces;
}

/** The functions that the trace went through, and what it came to. */
const seen = ({ steps, result }: RunTrace): unknown => [
  ...new Set(steps.map(({ program }) => program)),
  result.action,
];

describe('the trace of a packet', () => {
  it('is of the entry that it runs', async () => {
    const traces = await tracesOf({ packet, entry: XDP }, { packet, entry: TC }, { packet, entry: BOTH });
    expect(traces.map(seen)).toEqual([
      ['meta_mark_xdp', 2],
      ['meta_mark_tc', 0],
      ['meta_mark_xdp', 2],
      ['meta_mark_tc', 0],
    ]);
  });

  it('of a chained entry shows TC what XDP left', async () => {
    /** The mark that TC sets: 41 where there is no metadata, else what XDP wrote. */
    const mark = async (stimulus: Stimulus): Promise<unknown> =>
      (await tracesOf(stimulus))
        .at(-1)!
        .steps.flatMap(({ memory }) => (memory?.place.startsWith('ctx') ? [[...memory.bytes]] : []));
    expect(await mark({ packet, entry: TC })).toEqual([[41, 0, 0, 0]]);
    expect(await mark({ packet, entry: TC, metadata: Uint8Array.of(7, 0, 0, 0) })).toEqual([[7, 0, 0, 0]]);
    expect(await mark({ packet, entry: BOTH })).toEqual([[42, 0, 0, 0]]);
    expect(await mark({ packet, entry: BOTH, metadata: Uint8Array.of(7, 0, 0, 0) })).toEqual([[42, 0, 0, 0]]);
  });

  it('of a chained entry is that of XDP where XDP does not pass it on', async () => {
    const traces = await tracesOf({ packet, entry: BOTH, metadata: new Uint8Array(216) });
    expect(traces.map(seen)).toEqual([['meta_mark_xdp', 0]]);
  });
});

describe('a session of vm', () => {
  async function run(options: VmOptions, ...stimuli: Stimulus[]): Promise<OutcomeBatch> {
    const session = await createVmEngine(options).open(MARK, {});
    const output = new OutcomeBatch(stimuli.length);
    await session.run(batchOf(...stimuli), output);
    return output;
  }

  it('is told of every run, and runs alike', async () => {
    const told: string[] = [];
    const stimuli: Stimulus[] = [
      { packet, entry: XDP },
      { packet, entry: TC },
    ];
    const plain = await run({}, ...stimuli);
    for (const options of [
      { onTrace: ({ steps }) => told.push(`trace ${steps[0]!.program}`) },
      { onWrites: (writes) => told.push(`writes ${writes.constructor.name}`) },
      { onPath: (path, writes) => told.push(`path ${path.lines.size > 3} ${writes.constructor.name}`) },
    ] satisfies VmOptions[]) {
      const output = await run(options, ...stimuli);
      expect([...output.action, ...output.mark]).toEqual([...plain.action, ...plain.mark]);
    }
    expect(told).toEqual([
      'trace meta_mark_xdp',
      'trace meta_mark_tc',
      'writes PacketWrites',
      'writes PacketWrites',
      'path true PacketWrites',
      'path true PacketWrites',
    ]);
  });

  it('leaves nobody watching once a run was watched', async () => {
    let told = 0;
    const options = { onWrites: () => (told += 1) } as VmOptions;
    const session = await createVmEngine(options).open(MARK, {});
    const output = new OutcomeBatch(1);
    for (let round = 0; round < 3; round++) await session.run(batchOf({ packet }), output);
    expect(told).toBe(3);
  });

  it('counts coverage of each entry by its own kind', async () => {
    const session = await createVmEngine().open(MARK, {});
    await session.run(batchOf({ packet, entry: TC }, { packet, entry: TC }), new OutcomeBatch(2));
    const counts = session.coverage!().functions.map(({ function: name, instructions }) => [
      name,
      instructions[0],
    ]);
    expect(counts).toEqual([
      ['meta_mark_xdp', 0],
      ['meta_mark_tc', 2],
    ]);
  });

  it('takes no more packets than its outcomes have room for', async () => {
    const session = await createVmEngine().open(programOf(portFilter), {});
    await expect(session.run(batchOf({ packet }, { packet }), new OutcomeBatch(1))).rejects.toThrow(
      '2 packets do not fit into a batch of 1 outcomes',
    );
  });

  it('and one of wasm tell of chained entries what they tell of single ones', async () => {
    for (const engine of [createVmEngine(), createWasmEngine()]) {
      const session = await engine.open(MARK, {});
      await session.run(batchOf({ packet, entry: BOTH }, { packet, entry: XDP }), new OutcomeBatch(2));
      const counts = (): number[] =>
        session.coverage!().functions.map(({ instructions }) => instructions[0]!);
      expect(counts()).toEqual([2, 1]);
      expect(session.path === undefined).toBe(engine.name === 'vm');
      const path = session.path?.();
      session.clearCoverage?.();
      if (session.clearCoverage !== undefined)
        expect([counts(), session.path!() === path]).toEqual([[0, 0], false]);
      expect(session.clearCoverage === undefined).toBe(engine.name === 'vm');
    }
  });
});
