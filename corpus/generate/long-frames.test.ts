import { expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { PacketGenerator } from './generator.ts';
import { LONG_FRAMES, TEST_RUN_LIMITS } from './packet-limits.ts';
import { seedFromText } from './random.ts';

const SEED = seedFromText('long');
const COUNT = 4096;
const LINEAR = 3520;

function lengthsOf(limits: typeof LONG_FRAMES, generator: PacketGenerator = new PacketGenerator()): number[] {
  const batch = new PacketBatch(COUNT);
  generator.fill(batch, SEED, 0, COUNT, limits);
  return [...batch.length];
}

const long = lengthsOf(LONG_FRAMES);
const share = (counts: (length: number) => boolean): number => long.filter(counts).length / COUNT;

it('frames of more than one buffer come often, and the longest now and then', () => {
  expect(share((length) => length > 1514)).toBeGreaterThan(0.3);
  expect(share((length) => length > 1514 && length <= 9018)).toBeGreaterThan(0.25);
  expect(share((length) => length > LINEAR)).toBeGreaterThan(0.15);
  expect(share((length) => length > 9022)).toBeGreaterThan(0.02);
  expect(share((length) => length === 65_536)).toBeGreaterThan(0.002);
  expect(share((length) => length < 1514)).toBeGreaterThan(0.4);
});

it('an ordinary batch has frames above an Ethernet’s MTU, too: 7 in 1000', () => {
  const ordinary = Array.from({ length: 8 }, (_, round) => {
    const batch = new PacketBatch(COUNT);
    new PacketGenerator().fill(batch, SEED, round * COUNT, COUNT, TEST_RUN_LIMITS);
    return batch.length.filter((length) => length > 1514).length;
  });
  const part = ordinary.reduce((sum, one) => sum + one, 0) / (8 * COUNT);
  expect(part).toBeGreaterThan(0.005);
  expect(part).toBeLessThan(0.01);
});

it('lengths about the borders of buffers come one by one', () => {
  for (const border of [LINEAR, LINEAR + 4096])
    for (const length of [border - 1, border, border + 1]) expect(long).toContain(length);
});

it('a batch stays small enough to be compared byte by byte', () => {
  expect(long.reduce((sum, length) => sum + length, 0) / COUNT).toBeLessThan(6000);
});

it('packets depend on seed and index alone', () => {
  const generator = new PacketGenerator();
  for (const index of [3, 500, 4000]) {
    expect(generator.single(SEED, index, 0, LONG_FRAMES).packet).toHaveLength(long[index]!);
  }
});

it('a program with an entry that takes one buffer only gets no longer frames', () => {
  const mixed = new PacketGenerator({}, ['xdp', 'tc-ingress']);
  expect(Math.max(...lengthsOf(LONG_FRAMES, mixed))).toBeLessThanOrEqual(
    TEST_RUN_LIMITS['tc-ingress'].maxLength,
  );
});
