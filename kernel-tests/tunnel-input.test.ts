/**
 * Frames that have come out of a tunnel, as `bpf_skb_get_tunnel_key` and `bpf_skb_get_tunnel_opt` show them (net/core/filter.c): in
 * the machines as in test runs, where a program that runs first states them.
 */
import { expect, it } from 'vitest';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import { PacketBatch, type SkbTunnel } from '../sim/packet/packet-batch.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 3000;

/** Flags that `bpf_skb_set_tunnel_key` can leave. */
const SETTABLE = [0x2000, 0x2004, 0x2005, 0x2109, 0x210d] as const;

function frames(): PacketBatch {
  let state = 20_261_130;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const maybe = <T>(name: keyof SkbTunnel, value: T): Record<string, T> =>
    below(2) === 0 ? { [name]: value } : {};
  const tunnel = (): SkbTunnel => {
    const ipv6 = below(2) === 0;
    const address = (): string =>
      ipv6 ? `2001:db8::${(below(0xffff) + 1).toString(16)}` : `10.${below(256)}.${below(256)}.1`;
    const options = below(64);
    const hasOptions = options > 0 && below(3) > 0;
    return {
      remote: address(),
      ...maybe('id', below(2 ** 32)),
      ...maybe('local', address()),
      ...maybe('tos', below(256)),
      ...maybe('ttl', below(256)),
      ...(ipv6 ? maybe('label', below(0x10_0000)) : {}),
      ...maybe('flags', SETTABLE[below(SETTABLE.length)]! | (hasOptions ? 0xd800 : 0)),
      ...(hasOptions
        ? {
            options: below(256)
              .toString(16)
              .padStart(2, '0')
              .repeat(4 * options),
          }
        : {}),
    };
  };
  const batch = new PacketBatch(PACKETS);
  for (let index = 0; index < PACKETS; index++) {
    const packet = Uint8Array.from({ length: 60 }, () => below(256));
    packet.set(below(2) === 0 ? [0x08, 0x00, 0x45] : [0x86, 0xdd, 0x60], 12);
    batch.push({ packet, ...(below(8) === 0 ? {} : { skb: { tunnel: tunnel() } }) });
  }
  return batch;
}

describeKernel('frames out of a tunnel', ['testrun', 'compiler'], () => {
  it('show the same in machines and kernel', async () => {
    const program = compileProgram('kernel-tests/frames/tunnel_given.bpf.c');
    const outcomes = await expectAgreement(program, frames());
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });

  it('are not seen where only a device sets such flags, or the program adds options', async () => {
    const given = compileProgram('kernel-tests/frames/tunnel_given.bpf.c');
    const setting = compileProgram('kernel-tests/helpers/tunnel.bpf.c');
    const batch = new PacketBatch(4);
    const packet = Uint8Array.from({ length: 60 }, (_, at) => (at === 12 ? 8 : 0));
    for (const tunnel of [
      { id: 1 },
      { flags: 0x0004 },
      { options: '' },
      { flags: 0x2805, options: '00000000' },
    ])
      batch.push({ packet, skb: { tunnel } });
    const statuses = (lines: readonly string[]): string[] =>
      lines.slice(0, 4).map((line) => line.split(' ')[1]!);
    expect(statuses(await outcomesOf(createTestRunEngine(), given, batch))).toEqual(['0', '3', '3', '3']);
    expect(statuses(await outcomesOf(createTestRunEngine(), setting, batch))).toEqual(['3', '3', '3', '3']);
  });
});
