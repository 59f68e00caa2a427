import { expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { firstRefusal } from './limits.ts';

const limits = { maxMetadata: 32 };
const XDP = { hook: 'xdp' } as const;

function batchOfLengths(...lengths: number[]): PacketBatch {
  const batch = new PacketBatch(lengths.length);
  for (const length of lengths) batch.push({ packet: new Uint8Array(length) });
  return batch;
}

it('names the first packet that is refused, not a later one', () => {
  const refusal = firstRefusal([XDP], batchOfLengths(60, 14, 13, 3521), limits);
  expect(refusal).toEqual({
    packet: 2,
    rule: 'a frame needs at least 14 bytes',
    detail: 'this one has 13',
  });
});

it('takes a batch in which nothing is refused', () => {
  expect(firstRefusal([XDP], batchOfLengths(14, 3520), limits)).toBeUndefined();
});

it('takes frames in several buffers for programs that have asked for them', () => {
  expect(firstRefusal([XDP], batchOfLengths(3521), limits)).toMatchObject({
    rule: 'frames of more than 3520 bytes go only to programs in section xdp.frags',
  });
  expect(firstRefusal([{ ...XDP, frags: true }], batchOfLengths(3521, 65_536), limits)).toBeUndefined();
  expect(firstRefusal([{ ...XDP, frags: true }], batchOfLengths(65_537), limits)).toMatchObject({
    rule: 'a frame has at most 65536 bytes here',
  });
});

it('judges each packet by the hook of its own entry', () => {
  const batch = batchOfLengths(3600, 3600);
  batch.entry[1] = 1;
  expect(firstRefusal([{ hook: 'tc-ingress' }, XDP], batch, limits)?.packet).toBe(1);
});

it('goes by what this kernel takes as metadata', () => {
  const batch = new PacketBatch(1);
  batch.push({ packet: new Uint8Array(60), metadata: new Uint8Array(36) });
  expect(firstRefusal([XDP], batch, limits)).toMatchObject({
    rule: 'metadata has at most 32 bytes here',
    detail: 'this packet has 36',
  });
  expect(firstRefusal([XDP], batch, { maxMetadata: 216 })).toBeUndefined();
});

it('takes no packet that is to run through XDP and TC one after the other', () => {
  const chain = { hook: 'tc-ingress', after: 'first' } as const;
  expect(firstRefusal([chain], batchOfLengths(60), limits)?.rule).toContain('only with --live');
});
