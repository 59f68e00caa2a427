import { describe, expect, it } from 'vitest';
import { EngineError } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { FAKE_PROGRAM, type FakeEngine, fakeEngine } from '../verify/test-support/engines.ts';
import { AskedKernel, askedLines, askedToJson } from './asked-kernel.ts';

const XDP_TX = 3;

/** Batches of a sequence; the machine stops the packets of these numbers, which count from 1. */
async function ask(engine: FakeEngine, sizes: readonly number[], stopped: readonly number[]) {
  const asked = new AskedKernel(FAKE_PROGRAM, engine);
  const answers = [];
  let number = 0;
  for (const size of sizes) {
    const input = new PacketBatch(size);
    const output = new OutcomeBatch(size);
    for (let index = 0; index < size; index++) {
      number++;
      input.push({ packet: Uint8Array.of(number >> 8, number) });
      output.reserve(0);
      output.commit(0, 0, 0);
      if (!stopped.includes(number)) continue;
      output.status[index] = STATUS.violation;
      output.notes.set(index, { message: 'forbidden', instruction: 7 });
    }
    answers.push(await asked.about({}, input, output));
  }
  return answers;
}

describe('what the kernel does with a packet that the machine stopped', () => {
  const counting = () =>
    fakeEngine('testrun', (stimulus, state) => ({
      action: XDP_TX,
      packet: stimulus.packet.subarray(0, state.packets),
    }));

  it('is its result where it ran it, after the packets before it, in earlier batches too', async () => {
    const engine = counting();
    const [first, second] = await ask(engine, [1, 3], [3]);
    expect(first!.size).toBe(0);
    const asked = second!.get(1)!;
    expect(asked).toMatchObject({ packet: 3, verdict: { did: 'ran', outcome: { action: XDP_TX } } });
    expect(engine.log.packets).toBe(3);
    expect(askedLines(asked, 3)).toEqual([
      'This kernel runs the program to its end.',
      'Its result: XDP_TX, 2 bytes.',
      'The machine was wrong to stop it, a defect of xdpsim.',
    ]);
    expect(askedToJson(asked)).toEqual({
      did: 'ran',
      packet: 3,
      status: 'ran',
      action: 'XDP_TX',
      bytes: '0003',
    });
  });

  it('is asked once for each place in the program', async () => {
    const engine = counting();
    const [answers] = await ask(engine, [8], [2, 5]);
    expect(engine.log.opened).toBe(1);
    expect(askedLines(answers!.get(4)!, 5)).toEqual(['The kernel: as for packet 2.']);
  });

  it('is the end of the verifier’s log where it refuses the program', async () => {
    const engine = fakeEngine('testrun', () => ({ action: 0 }), {
      openError: () =>
        new EngineError('input', 'the verifier refuses fake', { log: 'R1 invalid mem access' }),
    });
    const [answers] = await ask(engine, [1], [1]);
    expect(askedLines(answers!.get(0)!, 1)).toEqual([
      'This kernel refuses to load the program: the verifier refuses fake',
      '  R1 invalid mem access',
    ]);
    expect(askedToJson(answers!.get(0)!)).toMatchObject({ did: 'refused', log: 'R1 invalid mem access' });
  });

  it('is why nobody was asked where test runs are not available', async () => {
    const engine = fakeEngine('testrun', () => ({ action: 0 }), {
      availability: { available: false, reason: 'not running as root', remedy: 'run it with sudo' },
    });
    const [answers] = await ask(engine, [1], [1]);
    expect(askedLines(answers!.get(0)!, 1)).toEqual(['The kernel was not asked (not running as root).']);
    expect(engine.log.opened).toBe(0);
  });
});
