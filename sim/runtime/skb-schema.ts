/** The schema of what a TC frame comes with in its `__sk_buff`. */
import { addressFromText } from '../packet/addresses.ts';
import type { SkbInput, SkbTunnel, SkbVlan } from '../packet/packet-batch.ts';
import {
  checked,
  flag,
  integer,
  list,
  matching,
  object,
  optional,
  type Schema,
  uint8,
  uint16,
  uint32,
} from './schema.ts';

const address: Schema<string> = checked('an IPv4 or IPv6 address', addressFromText);

const tunnel: Schema<SkbTunnel> = object<SkbTunnel>({
  id: optional(uint32),
  remote: optional(address),
  local: optional(address),
  tos: optional(uint8),
  ttl: optional(uint8),
  label: optional(integer(0, 0xf_ffff)),
  flags: optional(uint16),
  options: optional(
    matching(/^([0-9a-fA-F]{8}){0,63}$/, 'hexadecimal digits of at most 252 bytes, a multiple of 4 of them'),
  ),
});

/** @param bigint of 64-bit fields, which JSON and modules have in different forms */
export function skbInputOf(bigint: Schema<bigint>): Schema<SkbInput> {
  return object<SkbInput>({
    mark: optional(uint32),
    priority: optional(uint32),
    ingressIfindex: optional(integer(0, 0x7fff_ffff)),
    cb: optional(list(uint32)),
    tstamp: optional(bigint),
    wireLen: optional(uint32),
    gsoSegs: optional(uint32),
    gsoSize: optional(uint32),
    hwtstamp: optional(bigint),
    vlan: optional(object<SkbVlan>({ proto: optional(uint32), tci: uint32 })),
    queueMapping: optional(uint32),
    tcIndex: optional(uint32),
    tcClassid: optional(uint32),
    hash: optional(uint32),
    tunnel: optional(tunnel),
    linear: optional(uint32),
    noSocket: optional(flag),
  });
}
