/** The headers between the first header of IP and what a tunnel carries: those of IP, of UDP, of the tunnel. */
import type { Protocol } from '../../sim/packet/declaration/protocol.ts';
import type { Context } from '../../sim/packet/dissection.ts';
import { followingProtocol } from '../../sim/packet/protocols.ts';
import { walkLayers } from '../../sim/packet/walk-layers.ts';

/** What tunnels carry. */
export const CARRIED = ['ipv4', 'ipv6', 'ethernet'] as const;

export type Carried = (typeof CARRIED)[number];

export interface OuterLayer {
  readonly protocol: Protocol;
  readonly offset: number;
  /** Where its header ends. */
  readonly headerEnd: number;
  /** Where the bytes end that it may use. */
  readonly end: number;
  readonly context: Context;
  /** The name of what follows, by its own account. */
  readonly next: string;
}

export function isCarried(name: string): name is Carried {
  return CARRIED.some((kind) => kind === name);
}

/**
 * From the first IP header to where another one begins, or a frame; to the end of what is known, where none does.
 * @param packet a frame
 */
export function outerLayers(packet: Uint8Array): OuterLayer[] {
  const layers: OuterLayer[] = [];
  walkLayers(packet, 0, packet.length, 'ethernet', (protocol, offset, end, context) => {
    const step = protocol.step(packet, offset, end, context);
    if (layers.length === 0 && protocol.name !== 'ipv4' && protocol.name !== 'ipv6') return step;
    const next = step.next === undefined ? 'data' : followingProtocol(step.next, packet);
    const headerEnd = step.next?.offset ?? offset + step.length;
    layers.push({ protocol, offset, headerEnd, end, context, next });
    return isCarried(next) ? { length: step.length } : step;
  });
  return layers;
}
