import { describe, expect, it } from 'vitest';
import type { CaptureMemory } from '../../corpus/formats/byte-stream.ts';
import { AnyCaptureDecoder } from '../../corpus/formats/capture.ts';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { FastScan } from './fast-scan.ts';

const fast = new FastScan();

/** All packets, and the error that ended them: of bytes that come in pieces, as a file's do. */
function decoded(capture: Uint8Array, pieceSize: number, memory?: CaptureMemory): string[] {
  const decoder = new AnyCaptureDecoder(memory);
  const lines: string[] = [];
  const take = (): void => {
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) {
      for (let index = 0; index < batch.count; index++) {
        lines.push(`${batch.base + batch.offset[index]!} ${batch.packet(index).join(',')}`);
      }
    }
  };
  try {
    for (let at = 0; at < capture.length; at += pieceSize) {
      const piece = capture.subarray(at, at + pieceSize);
      fast.release();
      const place = memory?.allocate(piece.length);
      place?.set(piece);
      decoder.push(place ?? piece.slice());
      take();
    }
    decoder.end();
    take();
  } catch (error) {
    lines.push(String(error));
  }
  return lines;
}

function captureOf(sizes: readonly number[], littleEndian: boolean): Uint8Array {
  const encoder = new PcapEncoder({ littleEndian });
  sizes.forEach((size, index) => {
    encoder.packet(new Uint8Array(size).fill(index), 0, size, 1, 2);
  });
  return encoder.take().slice();
}

describe.each([
  ['little-endian', true],
  ['big-endian', false],
] as const)('walking through a %s capture in memory', (_name, littleEndian) => {
  const sizes = Array.from({ length: 5000 }, (_, index) => (index * 37) % 190);
  const capture = captureOf(sizes, littleEndian);

  it('finds the packets that the decoder finds, however the file comes', () => {
    for (const pieceSize of [capture.length, 70_000]) {
      const walked = decoded(capture, pieceSize, fast);
      expect(walked).toEqual(decoded(capture, pieceSize));
      expect(walked).toHaveLength(sizes.length);
    }
  });

  it('ends where the decoder ends: in the middle of a header or a packet, and at a length that none has', () => {
    const small = captureOf([60, 0, 90], littleEndian);
    for (let end = 24; end < small.length; end++) {
      const cut = small.subarray(0, end);
      expect(decoded(cut, end, fast)).toEqual(decoded(cut, end));
    }
    for (const length of [262_144, 262_145, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
      const wrong = small.slice();
      new DataView(wrong.buffer).setUint32(24 + 16 + 60 + 8, length, littleEndian);
      const walked = decoded(wrong, wrong.length, fast);
      expect(walked).toEqual(decoded(wrong, wrong.length));
      expect(walked).toHaveLength(2);
    }
  });
});
