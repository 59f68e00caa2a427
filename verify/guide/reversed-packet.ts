/** Packets of the other direction. */
import type { Stimulus } from '../../sim/packet/packet-batch.ts';

/** The same packet on its way back: MAC addresses, addresses and ports exchanged. */
export function reversed(stimulus: Stimulus): Stimulus {
  const packet = stimulus.packet.slice();
  const exchange = (a: number, b: number, size: number): void => {
    if (b + size > packet.length) return;
    const held = packet.slice(a, a + size);
    packet.copyWithin(a, b, b + size);
    packet.set(held, b);
  };
  exchange(0, 6, 6);
  const type = packet.length >= 14 ? (packet[12]! << 8) | packet[13]! : 0;
  if (type === 0x0800) {
    exchange(26, 30, 4);
    const ports = 14 + (packet[14]! & 15) * 4;
    exchange(ports, ports + 2, 2);
  } else if (type === 0x86dd) {
    exchange(22, 38, 16);
    exchange(54, 56, 2);
  }
  return { ...stimulus, packet };
}
