/** From layer to layer through a packet, by the one table of what follows what: for trees and for filters. */

import type { Protocol } from './declaration/protocol.ts';
import type { Context, Follower } from './dissection.ts';
import { followingProtocol, protocolByName } from './protocols.ts';

/** No packet nests as deep as this, but hostile ones would like to. */
const MAX_LAYERS = 64;

const NOTHING_KNOWN: Context = {};

/** Where a layer lies. */
export interface LayerPlace {
  readonly name: string;
  readonly offset: number;
  /** Where the bytes end that it may use. */
  readonly end: number;
}

/** Where a layer lies, and its header. */
export interface HeaderPlace extends LayerPlace {
  /** Where the bytes of its header end, as far as they are there. */
  readonly headerEnd: number;
}

/** What is done with each layer: returns how long its header is, and what follows. */
export type Visit = (
  protocol: Protocol,
  offset: number,
  end: number,
  context: Context,
) => { readonly length: number; readonly next?: Follower };

/** Bytes behind the last layer that has a protocol. */
export interface Rest {
  /** `data`, `fragment`, `padding`: why there is no protocol. */
  readonly name: string;
  readonly offset: number;
  readonly end: number;
}

/**
 * Visits each layer, outermost first.
 * @param first what the packet begins with
 * @param gap called with bytes between two headers, and what they are
 * @param around what every layer is told
 */
export function walkLayers(
  bytes: Uint8Array,
  offset: number,
  end: number,
  first: string,
  visit: Visit,
  gap: (at: number, length: number, what: string | undefined) => void = () => {},
  around: Context = NOTHING_KNOWN,
): Rest {
  let behind: Follower | undefined;
  const chain: Chain = {
    bytes,
    gap,
    around,
    visit: (protocol, at, layerEnd, context) => {
      const visited = visit(protocol, at, layerEnd, context);
      // Of an error that quotes an error, the outer one's: who makes one quotes none.
      behind ??= visited.next?.behind;
      return visited;
    },
  };
  const rest = walkChain(chain, { name: first, offset, end, context: around });
  if (behind === undefined) return rest;
  const from = Math.min(rest.offset, behind.offset);
  if (from < behind.offset) gap(from, behind.offset - from, 'Rest of the quoted packet');
  const { protocol = 'data', context = around } = behind;
  return walkChain(chain, { name: protocol, offset: behind.offset, end: behind.end, context });
}

interface Chain {
  readonly bytes: Uint8Array;
  readonly visit: Visit;
  readonly gap: (at: number, length: number, what: string | undefined) => void;
  readonly around: Context;
}

/** From one layer to what follows it. */
function walkChain(
  { bytes, visit, gap, around }: Chain,
  start: LayerPlace & { readonly context: Context },
): Rest {
  let { offset: at, end: layerEnd, name, context } = start;
  for (let count = 0; at < layerEnd && count < MAX_LAYERS; count++) {
    const protocol = protocolByName(name);
    if (protocol === undefined) return { name, offset: at, end: layerEnd };
    const { length, next } = visit(protocol, at, layerEnd, context);
    at += Math.min(length, layerEnd - at);
    if (next === undefined) return { name: 'data', offset: at, end: layerEnd };
    layerEnd = next.end;
    name = followingProtocol(next, bytes);
    const between = Math.min(next.offset, layerEnd) - at;
    if (between > 0) {
      gap(at, between, next.gap);
      at += between;
    }
    context = around === NOTHING_KNOWN ? (next.context ?? around) : { ...next.context, ...around };
  }
  return { name: 'data', offset: at, end: layerEnd };
}

/** The layers of a packet, without their fields. */
export function layersOf(
  bytes: Uint8Array,
  offset: number,
  end: number,
  first: string = 'ethernet',
  around?: Context,
): HeaderPlace[] {
  const layers: HeaderPlace[] = [];
  const visit: Visit = (protocol, at, layerEnd, context) => {
    const step = protocol.step(bytes, at, layerEnd, context);
    layers.push({
      name: protocol.name,
      offset: at,
      end: layerEnd,
      headerEnd: Math.min(at + step.length, layerEnd),
    });
    return step;
  };
  walkLayers(bytes, offset, end, first, visit, undefined, around);
  return layers;
}
