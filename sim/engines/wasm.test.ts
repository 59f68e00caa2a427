import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { programs } from '../programs/index.ts';
import type { Program, ProgramDefinition } from '../runtime/program.ts';
import { EngineError, type Session } from './engine.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

function builtIn(name: string): Program & { readonly definition: ProgramDefinition } {
  const definition = programs.find((one) => one.name === name)!;
  const path = fileURLToPath(new URL(`../../bpf/built/${name}.o`, import.meta.url));
  return { name, entries: definition.entries, object: new Uint8Array(readFileSync(path)), definition };
}

/** What a batch came to, as a value. */
function summary(outcomes: OutcomeBatch): unknown {
  const { count } = outcomes;
  const packets = Array.from({ length: count }, (_, packet) => ({
    action: outcomes.action[packet],
    status: outcomes.status[packet],
    redirect: outcomes.redirect[packet],
    offset: outcomes.offset[packet],
    bytes: Buffer.from(outcomes.packet(packet)).toString('hex'),
    metadata: Buffer.from(outcomes.metadata(packet)).toString('hex'),
    mark: outcomes.mark[packet],
    priority: outcomes.priority[packet],
    cb: [...outcomes.cb.subarray(packet * 5, packet * 5 + 5)],
    lines: outcomes.trace.get(packet),
  }));
  return { packets, used: outcomes.used };
}

function coverage(session: Session): unknown {
  return session.coverage!().functions.map((one) => ({ ...one, instructions: [...one.instructions] }));
}

describe('the engine wasm', () => {
  for (const { name } of programs) {
    it(`runs ${name} as the engine vm does: outcomes, maps, trace lines, coverage, also after a reset`, async () => {
      const program = builtIn(name);
      const { definition } = program;
      const generator = new PacketGenerator(
        { ...definition.hints, metadata: true },
        definition.entries.map((entry) => entry.hook),
      );
      for (const { world } of definition.worlds) {
        const vm = await createVmEngine().open(program, world);
        const wasm = await createWasmEngine().open(program, world);
        const [judged, ran] = [new OutcomeBatch(400), new OutcomeBatch(400)];
        for (let round = 0; round < 3; round++) {
          const batch = new PacketBatch(400);
          generator.fill(batch, seedFromText('engines'), round * 400, 400);
          await vm.run(batch, judged);
          await wasm.run(batch, ran);
          expect(summary(ran)).toEqual(summary(judged));
          expect(wasm.maps()).toEqual(vm.maps());
          expect(coverage(wasm)).toEqual(coverage(vm));
          if (round === 1) {
            await vm.reset();
            await wasm.reset();
            expect(wasm.maps()).toEqual(vm.maps());
          }
        }
      }
    });
  }

  it('gives packets that no hook is given a fault and a reason, and runs those around them', async () => {
    for (const name of ['icmp_echo', 'account']) {
      const session = await createWasmEngine().open(builtIn(name), {});
      const batch = new PacketBatch(6);
      for (const length of [60, 70_000, 60, 13, 60, 60]) batch.push({ packet: new Uint8Array(length) });
      // XDP takes frames down to no byte at all, TC whole Ethernet headers only.
      batch.entry[4] = 9;
      const outcomes = new OutcomeBatch(6);
      await session.run(batch, outcomes);
      const short = name === 'account' ? STATUS.fault : STATUS.ran;
      expect([...outcomes.status.subarray(0, 6)]).toEqual([0, STATUS.fault, 0, short, STATUS.fault, 0]);
      expect(outcomes.notes.get(1)?.message).toContain(name === 'account' ? 'at most' : 'section xdp.frags');
      expect(outcomes.notes.get(3)?.message).toBe(
        name === 'account' ? 'a frame needs at least 14 bytes, this one has 13' : undefined,
      );
      expect(outcomes.notes.get(4)?.message).toContain('names entry 9');
      expect([...outcomes.length.subarray(0, 6)]).toEqual([60, 0, 60, name === 'account' ? 0 : 13, 0, 60]);
      expect(outcomes.packet(5)).toHaveLength(60);
      expect(outcomes.used).toBe(outcomes.offset[5]! + 60);
    }
  });

  it('takes batches larger than its arena of outcomes, frames beyond the linear part, and packets that lie scattered', async () => {
    for (const name of ['meta_mark', 'proto_count_hash']) {
      const program = builtIn(name);
      const batch = new PacketBatch(100, 8 << 20);
      for (let index = 0; index < 100; index++) {
        batch.push({ packet: new Uint8Array(14 + ((index * 977) % 5000)).fill(index) });
        batch.used += 3;
      }
      const [judged, ran] = [new OutcomeBatch(100), new OutcomeBatch(100)];
      await (await createVmEngine().open(program, {})).run(batch, judged);
      await (await createWasmEngine().open(program, {})).run(batch, ran);
      expect(summary(ran)).toEqual(summary(judged));
    }
  });

  /** The same packets, laid out in the arena by `place`. */
  function laidOut(
    packets: readonly Uint8Array[],
    place: (packet: number, used: number) => number,
  ): PacketBatch {
    const batch = new PacketBatch(packets.length, 8 << 20);
    for (const [index, packet] of packets.entries()) {
      batch.push({ packet, metadata: new Uint8Array(4 * (index % 3)).fill(index) });
      const metaLength = batch.metaLength[index]!;
      const start = place(index, batch.used) + metaLength;
      batch.bytes.set(packet, start);
      batch.bytes.fill(index, start - metaLength, start);
      batch.offset[index] = start;
    }
    return batch;
  }

  const layouts: Readonly<Record<string, (packet: number, used: number) => number>> = {
    'the last one first': (packet) => (2000 - packet) * 1600,
    'with gaps that come late': (packet, used) => used + 300_000 + (packet > 700 ? 3 * packet : 0),
    'two and two swapped': (packet) => (packet ^ 1) * 1600,
    'the same place for three': (packet) => Math.floor(packet / 3) * 1600,
    'each beginning within the one before': (packet) => packet * 10,
  };
  for (const [name, place] of Object.entries(layouts)) {
    it(`runs packets wherever they lie in the batch: ${name}`, async () => {
      for (const program of ['icmp_echo', 'meta_mark'].map(builtIn)) {
        const generator = new PacketGenerator(program.definition.hints, ['xdp']);
        const source = new PacketBatch(1300);
        generator.fill(source, seedFromText(name), 0, 1300);
        const xdp: Program = { ...program, entries: program.entries.slice(0, 1) };
        // Without a frame that no hook is given, and with one here and there.
        for (const refused of [2000, 211]) {
          const packets = Array.from({ length: source.count }, (_, index) =>
            index % refused === refused - 1
              ? new Uint8Array(70_000)
              : source.bytes.slice(source.offset[index]!, source.offset[index]! + source.length[index]!),
          );
          const batch = laidOut(packets, place);
          const [judged, ran] = [new OutcomeBatch(1300), new OutcomeBatch(1300)];
          await (await createVmEngine().open(xdp, {})).run(batch, judged);
          await (await createWasmEngine().open(xdp, {})).run(batch, ran);
          expect(summary(ran)).toEqual(summary(judged));
        }
      }
    });
  }

  it('empties its arena of outcomes as often as packets that grow fill it', async () => {
    const program = builtIn('meta_mark');
    const xdp: Program = { ...program, entries: program.entries.slice(0, 1) };
    const count = 40_000;
    const batch = new PacketBatch(count, count * 14);
    for (let index = 0; index < count; index++) batch.push({ packet: new Uint8Array(14).fill(index) });
    const [judged, ran] = [new OutcomeBatch(count), new OutcomeBatch(count)];
    await (await createVmEngine().open(xdp, {})).run(batch, judged);
    await (await createWasmEngine().open(xdp, {})).run(batch, ran);
    expect(ran.used).toBe(count * 18);
    expect(Buffer.compare(ran.bytes.subarray(0, ran.used), judged.bytes.subarray(0, judged.used))).toBe(0);
    expect(ran.offset).toEqual(judged.offset);
    expect(ran.metaLength).toEqual(judged.metaLength);
  });

  it('says where it stopped a program', async () => {
    const program = builtIn('icmp_echo');
    const session = await createWasmEngine({ budget: 1 }).open(program, {});
    const outcomes = new OutcomeBatch(1);
    const batch = new PacketBatch(1);
    batch.push({ packet: new Uint8Array(60) });
    await session.run(batch, outcomes);
    // No loop in it: the budget is counted where a program jumps back or calls.
    expect(outcomes.status[0]).toBe(STATUS.ran);
  });

  it('refuses a program without object, and an entry that the object lacks', async () => {
    const engine = createWasmEngine();
    const { object: _object, ...rest } = builtIn('icmp_echo');
    expect(engine.availability(rest)).toMatchObject({ available: false });
    expect(engine.availability(builtIn('icmp_echo'))).toEqual({ available: true });
    await expect(engine.open(rest, {})).rejects.toBeInstanceOf(EngineError);
    const wrong: Program = { ...builtIn('icmp_echo'), entries: [{ function: 'nothing', hook: 'xdp' }] };
    await expect(engine.open(wrong, {})).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining('nothing'),
    });
  });

  it('refuses a batch that its outcomes have no room for', async () => {
    const session = await createWasmEngine().open(builtIn('icmp_echo'), {});
    const batch = new PacketBatch(2);
    for (let packet = 0; packet < 2; packet++) batch.push({ packet: new Uint8Array(60) });
    await expect(session.run(batch, new OutcomeBatch(1))).rejects.toBeInstanceOf(RangeError);
  });
});
