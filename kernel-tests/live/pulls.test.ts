/**
 * Frames whose payload lies in pages of its own, as TCP from a local socket sends them: what of them is linear, and what
 * helpers make of that, in the kernel and in both machines. No test run makes such frames.
 */
import { expect, it } from 'vitest';
import { load } from '../../kernel/lab/load.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { compileProgram } from '../test-support/agreement.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

const PORT = 7001;
const HEADERS = 66;
const PAYLOAD = 400;
/** IPv4, TCP: options of 12 bytes; then the payload. */
function frameOf(length: number): Uint8Array {
  const packet = new Uint8Array(length);
  packet.set([0x08, 0x00, 0x45, 0x00], 12);
  packet.set([(length - 14) >> 8, (length - 14) & 0xff], 16);
  packet.set([64, 6], 22);
  packet[46] = 0x80;
  return packet;
}

async function stepsOf(engine: Engine, program: Program, length: number, linear: number): Promise<number[]> {
  const session = await engine.open(program, {});
  const input = new PacketBatch(1, length);
  input.push({ packet: frameOf(length), skb: { linear } });
  const output = new OutcomeBatch(1);
  await session.run(input, output);
  const steps = session.maps().find(({ definition }) => definition.name === 'steps')!;
  await session.close();
  return steps.list().map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));
}

describeKernel('frames with pages', ['root', 'libbpf', 'compiler', 'linux 6.13'], () => {
  const laboratory = useLaboratory(['left']);

  it('are as linear in both machines as in the kernel, after every helper', async () => {
    const program = compileProgram('kernel-tests/frames/pulls.bpf.c');
    const lab = laboratory();
    load(lab.lab, 'left', { object: program.object!, file: 'pulls.o', register: [] });
    await lab.echoServer(lab.lab.inside('left'), PORT);
    const client = lab.connectTcp(lab.lab.outside, lab.net('left').inner.ipv4, PORT);
    await client.line((line) => line === 'connected');
    // The first segment is used up; what is sent again comes back.
    client.say('x'.repeat(PAYLOAD));
    await client.line((line) => line === 'x'.repeat(PAYLOAD));
    const kernel = lab.entries('left', 'steps').map(({ value }) => value as number);
    const [linear, length] = kernel;
    expect([linear, length]).toEqual([HEADERS, HEADERS + PAYLOAD + 1]);
    for (const engine of [createVmEngine(), createWasmEngine()])
      expect(await stepsOf(engine, program, length!, linear!)).toEqual(kernel);
  });
});
