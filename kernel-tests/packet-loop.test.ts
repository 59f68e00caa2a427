import { expect, it } from 'vitest';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { BpfObject } from '../kernel/libbpf/object.ts';
import { createPacketLoop } from '../kernel/native/packet-loop.ts';
import { PacketRunner } from '../kernel/testrun/packets.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixture, frame } from './test-support/testrun.ts';

const SEED = seedFromText('packet-loop');
const PACKETS = 4096;

/** Loads one function of the fixture for as long as `use` takes. */
function loaded<T>(name: string, use: (fd: number) => T): T {
  const program = fixture(name);
  const { entries, object } = program;
  const bpf = new BpfObject(object!, { name: program.name, file: 'testrun.o', entries });
  try {
    return use(bpf.programs[0]!.fd);
  } finally {
    bpf.close();
  }
}

/** What comes of a batch: through the compiled loop, or by a call for each packet. */
function outcomesOf(fd: number, batch: PacketBatch, way: 'loop' | 'calls', arena: number): OutcomeBatch {
  const output = new OutcomeBatch(batch.capacity, arena);
  const runner = way === 'loop' ? new PacketRunner() : new PacketRunner(null);
  try {
    runner.run([{ fd, hook: 'xdp', changesMetadata: false }], batch, output, undefined);
  } finally {
    runner.close();
  }
  return output;
}

describeKernel('the compiled loop', ['root', 'testrun', 'compiler'], () => {
  it.runIf(process.arch === 'x64')('is there', () => {
    expect(createPacketLoop()).not.toBeNull();
  });

  for (const name of ['swap', 'grow']) {
    it(`gives what a call for each packet gives: ${name}, frames of every length, refused ones among them`, () => {
      const batch = new PacketBatch(PACKETS);
      new PacketGenerator().fill(batch, SEED, 0, PACKETS - 300);
      for (let length = 0; length < 300; length++) batch.push({ packet: frame(length) });
      loaded(name, (fd) => {
        const loop = outcomesOf(fd, batch, 'loop', 64);
        const calls = outcomesOf(fd, batch, 'calls', 64);
        expect(loop.count).toBe(PACKETS);
        expect(loop.notes.size).toBeGreaterThanOrEqual(14);
        expect(loop.notes).toEqual(calls.notes);
        expect(loop.used).toBe(calls.used);
        expect(Buffer.compare(loop.bytes.subarray(0, loop.used), calls.bytes.subarray(0, calls.used))).toBe(
          0,
        );
        for (const field of ['offset', 'length', 'metaLength', 'action', 'status', 'redirect'] as const) {
          expect(loop[field].join(), field).toBe(calls[field].join());
        }
      });
    });
  }

  it('leaves nothing of an earlier batch in the outcomes', () => {
    loaded('swap', (fd) => {
      const batch = batchOf({ packet: frame(60) }, { packet: frame(3) }, { packet: frame(70) });
      const output = new OutcomeBatch(3);
      for (const field of ['metaLength', 'status', 'redirect', 'mark', 'priority', 'cb'] as const) {
        output[field].fill(1);
      }
      const runner = new PacketRunner();
      try {
        runner.run([{ fd, hook: 'xdp', changesMetadata: false }], batch, output, undefined);
      } finally {
        runner.close();
      }
      expect([...output.status]).toEqual([STATUS.ran, STATUS.fault, STATUS.ran]);
      for (const field of ['metaLength', 'redirect', 'mark', 'priority', 'cb'] as const) {
        expect([...new Set(output[field])], field).toEqual([0]);
      }
    });
  });
});
