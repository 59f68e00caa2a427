/**
 * The machine's helpers against the kernel's: programs whose packets choose the helper and its arguments, run by
 * both machines and by the kernel, and compared in actions, bytes, metadata, printed lines and every result.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'vitest';
import { SOURCE_ROOT } from '../bpf/compile.ts';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 2500;
const CHECKSUMS = 'csum_diff.bpf.c';
const STRINGS = 'strings.bpf.c';
/** One packet at a time: the kernel has no memory for timers that programs make in quick succession (6.18). */
const SLOWLY = 'timers.bpf.c';
const SOURCES = readdirSync(join(SOURCE_ROOT, 'kernel-tests/helpers')).filter((name) =>
  name.endsWith('.bpf.c'),
);

/** Noise with some order in it: lengths that matter, IP headers often, entries in turn. */
function stimuli(entries: number): Stimulus[] {
  let state = 20_251_120;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  return Array.from({ length: PACKETS }, () => {
    const length = [60, 64, 74, 98, 100 + below(200), 1514][below(6)]!;
    const packet = Uint8Array.from({ length }, () => below(256));
    const type = [0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8100, 0x88a8, below(0x1_0000)][below(8)]!;
    packet[12] = type >> 8;
    packet[13] = type;
    if (type === 0x0800) packet[14] = 0x45;
    if (type === 0x86dd) packet[14] = 0x60;
    // A tagged frame carries IP, or another tag.
    if (type === 0x8100 || type === 0x88a8)
      packet.set(
        [
          [0x08, 0],
          [0x86, 0xdd],
          [0x81, 0],
        ][below(3)]!,
        16,
      );
    return { packet, entry: below(entries) };
  });
}

function batchOf(packets: readonly Stimulus[]): PacketBatch {
  const batch = new PacketBatch(packets.length);
  for (const packet of packets) batch.push(packet);
  return batch;
}

async function agree(source: string): Promise<void> {
  const program = compileProgram(`kernel-tests/helpers/${source}`);
  const packets = stimuli(program.entries.length);
  await expectAgreement(program, source === SLOWLY ? packets.map((one) => batchOf([one])) : batchOf(packets));
}

// 6.1 lacks kernel functions on dynptrs and flags of bpf_skb_adjust_room, and allows 32 bytes of metadata.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.12'], () => {
  for (const source of SOURCES.filter((name) => name !== CHECKSUMS && name !== STRINGS))
    it(source, () => agree(source));
});

// Kernels before 6.13 do not fold what bpf_csum_diff gives.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.13'], () => {
  it(CHECKSUMS, () => agree(CHECKSUMS));
});

// Kernel functions on strings came with 6.17, on two dynptrs with 6.16.
describeKernel('the machines and the kernel agree on', ['testrun', 'compiler', 'linux 6.17'], () => {
  it(STRINGS, () => agree(STRINGS));
});
