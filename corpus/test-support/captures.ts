/** For tests: captures written byte by byte, a way to read any capture to its end, and ways to damage one. */
import { AnyCaptureDecoder } from '../formats/capture.ts';
import type { CaptureBatch } from '../formats/capture-batch.ts';
import { CaptureError } from '../formats/capture-error.ts';

/** Bytes from hexadecimal text; blanks and everything behind `//` do not count. */
export function bytesOf(text: string): Uint8Array {
  const hex = text.replace(/\/\/.*$/gm, '').replace(/\s/g, '');
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) =>
    Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16),
  );
}

/** Everything that a capture says about one packet. */
export interface ReadPacket {
  readonly bytes: Uint8Array;
  readonly original: number;
  readonly nanoseconds: bigint;
  readonly linkType: number;
  readonly interface: number;
  readonly comments: readonly string[] | CaptureError;
}

export interface Reading {
  readonly packets: ReadPacket[];
  /** How reading ended, if not well. Anything but a CaptureError is thrown. */
  readonly error: CaptureError | undefined;
}

/**
 * Reads a capture that arrives in pieces of the given sizes, over and over; without sizes, in one piece. Every
 * piece comes in the same buffer, as it does from a file, and that is one of Node's.
 */
export function readAll(capture: Uint8Array, pieces: readonly number[] = [capture.length]): Reading {
  const decoder = new AnyCaptureDecoder();
  const packets: ReadPacket[] = [];
  const buffer = Buffer.alloc(Math.max(...pieces, 1));
  const pull = (): void => {
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) collect(batch, packets);
  };
  try {
    for (let at = 0, turn = 0; at < capture.length; turn++) {
      const piece = capture.subarray(at, at + Math.max(pieces[turn % pieces.length]!, 1));
      buffer.set(piece);
      decoder.push(buffer.subarray(0, piece.length));
      pull();
      at += piece.length;
    }
    decoder.end();
    pull();
    return { packets, error: undefined };
  } catch (error) {
    if (error instanceof CaptureError) return { packets, error };
    throw error;
  }
}

function collect(batch: CaptureBatch, packets: ReadPacket[]): void {
  for (let index = 0; index < batch.count; index++) {
    const interfaceId = batch.interface[index]!;
    packets.push({
      bytes: batch.packet(index),
      original: batch.original(index),
      nanoseconds: batch.nanoseconds(index),
      linkType: batch.section.interfaces[interfaceId]!.linkType,
      interface: interfaceId,
      comments: commentsOf(batch, index),
    });
  }
}

function commentsOf(batch: CaptureBatch, index: number): readonly string[] | CaptureError {
  try {
    return batch.comments(index);
  } catch (error) {
    if (error instanceof CaptureError) return error;
    throw error;
  }
}

/** One thing that went wrong with a file. Places and values are reduced to what fits. */
export type Damage =
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'bit'; readonly at: number; readonly bit: number }
  | { readonly kind: 'word'; readonly at: number; readonly value: number; readonly littleEndian: boolean }
  | { readonly kind: 'delete'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number };

/** A damaged copy. */
export function damaged(capture: Uint8Array, damages: readonly Damage[]): Uint8Array {
  let bytes: Uint8Array = capture.slice();
  for (const damage of damages) {
    if (bytes.length === 0) return bytes;
    const at = damage.at % bytes.length;
    switch (damage.kind) {
      case 'cut':
        bytes = bytes.slice(0, at);
        break;
      case 'bit':
        bytes[at]! ^= 1 << (damage.bit & 7);
        break;
      case 'word':
        // Aligned, as all of pcapng's words and most of pcap's are.
        if ((at & ~3) + 4 <= bytes.length) {
          new DataView(bytes.buffer, bytes.byteOffset).setUint32(at & ~3, damage.value, damage.littleEndian);
        }
        break;
      case 'delete':
        bytes = joined(bytes.subarray(0, at), bytes.subarray(at + damage.length));
        break;
      case 'repeat':
        bytes = joined(bytes.subarray(0, at + damage.length), bytes.subarray(at));
        break;
    }
  }
  return bytes;
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const both = new Uint8Array(left.length + right.length);
  both.set(left);
  both.set(right, left.length);
  return both;
}

/** pcapng in big-endian order with everything in it, byte by byte (draft-ietf-opsawg-pcapng §4). */
export const PCAPNG_BIG_ENDIAN: Uint8Array = bytesOf(`
  0a0d0d0a 00000038 1a2b3c4d 0001 0000 ffffffffffffffff  // section header
    0001 0005 68656c6c 6f000000                          //   opt_comment "hello"
    0003 0005 4c696e75 78000000                          //   shb_os "Linux"
    0000 0000 00000038                                   //   end
  00000001 00000030 0001 0000 00040000                   // interface 0: Ethernet, 262144
    0002 0004 65746830                                   //   if_name "eth0"
    0009 0001 09000000                                   //   if_tsresol 10^-9
    0001 0003 6c616e00                                   //   opt_comment "lan"
    0000 0000 00000030
  00000001 00000020 0065 0000 00000003                   // interface 1: RAW, snaplen 3
    000e 0008 0000000000000064                           //   if_tsoffset 100 s
    00000020                                             //   no opt_endofopt: allowed
  00000006 00000034 00000001 00000000 000f4241           // enhanced packet on 1, 1 000 001 µs
    00000005 00000009 4500000102000000                   //   5 of 9 bytes
    0001 0002 68690000                                   //   opt_comment "hi"
    0000 0000 00000034
  00000bad 00000010 deadbeef 00000010                    // custom-like unknown block
  00000002 00000028 0000 ffff 00000001 00000002          // obsolete packet on 0, 2^32 + 2 ns
    00000004 00000004 01020304                           //   4 bytes
    0000 0000 00000028
  00000003 00000014 00000004 a1a2a3a4 00000014           // simple packet on 0
`);

/** The same in little-endian order, shorter, with a snapshot length that cuts its simple packet. */
export const PCAPNG_LITTLE_ENDIAN: Uint8Array = bytesOf(`
  0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000
  01000000 20000000 0100 0000 03000000                   // Ethernet, snaplen 3
    0900 0100 8a000000                                   //   if_tsresol 2^-10
    0000 0000 20000000
  03000000 14000000 05000000 b1b2b300 14000000           // simple packet of 5 bytes, cut to 3
  06000000 24000000 00000000 00000000 00060000           // enhanced: 1536/1024 s
    01000000 01000000 c1000000 24000000
`);
