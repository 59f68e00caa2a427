/** The schema of what a TC frame comes with in its `__sk_buff`. */
import type { SkbInput, SkbVlan } from '../packet/packet-batch.ts';
import { list, object, optional, type Schema, uint32 } from './schema.ts';

/** @param bigint of 64-bit fields, which JSON and modules have in different forms */
export function skbInputOf(bigint: Schema<bigint>): Schema<SkbInput> {
  return object<SkbInput>({
    mark: optional(uint32),
    priority: optional(uint32),
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
    linear: optional(uint32),
  });
}
