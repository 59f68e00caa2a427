/**
 * What TC frames come with beside their bytes (net/bpf/test_run.c, `convert___skb_to_skb`): the fields of `__sk_buff` that
 * programs may read and write, and what helpers make of frames that are to be cut into segments.
 */
import { expect, it } from 'vitest';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { PacketBatch, type SkbInput } from '../sim/packet/packet-batch.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 2000;

/** IPv4 and IPv6 with noise behind; fields that are there or not. */
function frames(entries: number): PacketBatch {
  let state = 20_261_127;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const word = (): number => [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, below(2 ** 32)][below(6)]!;
  const wide = (): bigint => (BigInt(word()) << 32n) | BigInt(word());
  const maybe = <T>(name: keyof SkbInput, value: T): Record<string, T> =>
    below(2) === 0 ? { [name]: value } : {};
  const batch = new PacketBatch(PACKETS);
  for (let index = 0; index < PACKETS; index++) {
    const packet = Uint8Array.from({ length: [60, 74, 98, 1514][below(4)]! }, () => below(256));
    packet.set(below(2) === 0 ? [0x08, 0x00, 0x45] : [0x86, 0xdd, 0x60], 12);
    const skb = {
      ...maybe('mark', word()),
      ...maybe('priority', word()),
      ...maybe('cb', Array.from({ length: below(6) }, word)),
      ...maybe('tstamp', wide()),
      ...maybe('wireLen', packet.length + below(3) * 1000),
      ...maybe('gsoSegs', below(0x1_0000)),
      ...maybe('gsoSize', below(3000)),
      ...maybe('hwtstamp', wide()),
      ...maybe('vlan', {
        tci: below(0x1_0000),
        ...(below(2) === 0 ? {} : { proto: [0x8100, 0x88a8][below(2)]! }),
      }),
      ...maybe('queueMapping', below(0xffff)),
      ...maybe('tcIndex', below(0x1_0000)),
      ...maybe('tcClassid', below(0x1_0000)),
      ...maybe('hash', word()),
    };
    batch.push({ packet, entry: below(entries), ...(below(4) === 0 ? {} : { skb }) });
  }
  return batch;
}

describeKernel('what TC frames come with', ['testrun', 'compiler', 'linux 6.13'], () => {
  it('reads, writes and leaves the same in machines and kernel', async () => {
    const program = compileProgram('kernel-tests/frames/skb_fields.bpf.c');
    const outcomes = await expectAgreement(program, frames(program.entries.length));
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });

  it('is a tag, in front of which the type of the packet is looked for', async () => {
    const program = compileProgram('kernel-tests/frames/tag_beside.bpf.c');
    const batch = new PacketBatch(16);
    for (const type of [
      [0x81, 0x00],
      [0x08, 0x00],
      [0x86, 0xdd],
      [0x08, 0x06],
    ])
      for (const [first, inner] of [
        [0x8100, 0x86dd],
        [0x88a8, 0x0800],
      ] as const)
        for (const skb of [{}, { vlan: { tci: 5, proto: 0x88a8 } }]) {
          const packet = new Uint8Array(64);
          // The bytes behind the tag's type say that the sender knows congestion, in IPv4 and in IPv6.
          packet.set([first >> 8, first & 0xff, 0x45, 0x62, inner >> 8, inner & 0xff], 12);
          packet.set(type, 40);
          batch.push({ packet, skb });
        }
    const outcomes = await expectAgreement(program, batch);
    expect(
      new Set(outcomes.slice(0, 16).map((line) => line.split(' ').slice(1).join(' '))).size,
    ).toBeGreaterThan(6);
  });

  it('is at egress the device that a forwarded frame came in by, as the test run has it', async () => {
    const program = compileProgram('kernel-tests/frames/forwarded.bpf.c');
    const batch = new PacketBatch(3);
    const packet = new Uint8Array(60);
    for (const skb of [{}, { ingressIfindex: 7 }, { ingressIfindex: 0x7fff_ffff, mark: 1 }])
      batch.push({ packet, skb });
    const outcomes = await expectAgreement(program, batch);
    expect(outcomes.slice(0, 3).map((line) => line.split(' ')[3])).toEqual(['0', '7', `${0x7fff_ffff}`]);
  });

  it('is refused where the kernel refuses it', async () => {
    const program = compileProgram('kernel-tests/frames/skb_fields.bpf.c');
    const batch = new PacketBatch(4);
    const packet = new Uint8Array(60);
    for (const skb of [{ wireLen: 59 }, { wireLen: 65_537 }, { gsoSegs: 65_536 }, { wireLen: 65_536 }]) {
      batch.push({ packet, skb });
    }
    const statuses = (lines: readonly string[]): string[] =>
      lines.slice(0, 4).map((line) => line.split(' ')[1]!);
    const kernel = await outcomesOf(createTestRunEngine(), program, batch);
    expect(statuses(kernel)).toEqual(['2', '2', '2', '0']);
    expect(statuses(await outcomesOf(createVmEngine(), program, batch))).toEqual(statuses(kernel));
    expect(kernel[0]).toContain('EINVAL: wire_len is from the frame’s length to 65536');
  });
});
