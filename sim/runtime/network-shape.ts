/** Routes and neighbours as people write them, in worlds and in scenarios: devices by name, addresses as text. */
import { addressFromText, macFromText, prefixFromText } from '../packet/addresses.ts';
import { checked, object, oneOf, optional, parsed, type Schema, text, uint32 } from './schema.ts';
import type { Route } from './world.ts';

export interface RouteShape {
  readonly to: string;
  readonly type?: NonNullable<Route['type']>;
  readonly via?: string;
  readonly device?: string;
  readonly metric?: number;
  readonly mtu?: number;
}

export interface NeighbourShape {
  readonly device: string;
  readonly address: string;
  readonly mac: Uint8Array;
}

export const address: Schema<string> = checked('an IPv4 or IPv6 address', addressFromText);
export const prefix: Schema<string> = checked('an IPv4 or IPv6 prefix', prefixFromText);
/** Without a length it is one address. */
export const addressOrPrefix: Schema<string> = checked('an IPv4 or IPv6 address or prefix', prefixFromText);
export const mac: Schema<Uint8Array> = parsed('a MAC address', macFromText);

export const route: Schema<RouteShape> = object<RouteShape>({
  to: prefix,
  type: optional(oneOf('unicast', 'blackhole', 'unreachable', 'prohibit')),
  via: optional(address),
  device: optional(text),
  metric: optional(uint32),
  mtu: optional(uint32),
});

export const neighbour: Schema<NeighbourShape> = object<NeighbourShape>({ device: text, address, mac });
