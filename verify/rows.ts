/** Frames of a batch, as they came and as they left: views of its bytes, good until it is filled anew. */
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';

export function cameAs(input: PacketBatch, packet: number): Uint8Array {
  const at = input.offset[packet]!;
  return input.bytes.subarray(at, at + input.length[packet]!);
}

export function leftAs(output: OutcomeBatch, packet: number): Uint8Array {
  const at = output.offset[packet]!;
  return output.bytes.subarray(at, at + output.length[packet]!);
}
