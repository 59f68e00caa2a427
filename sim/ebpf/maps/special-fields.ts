/** Where a map's value has what programs may touch through helpers only, as its BTF says (kernel/bpf/btf.c, `btf_parse_fields`). */
import { BTF_KIND, type Btf } from '../btf.ts';

export const SPECIAL_FIELDS = ['bpf_spin_lock', 'bpf_res_spin_lock', 'bpf_timer'] as const;

export type SpecialField = (typeof SPECIAL_FIELDS)[number];

/** Bytes of a lock of either kind. */
export const LOCK_SIZE = 4;

/** Bytes from the value's begin; -1: there is none. */
export function offsetOfField(
  btf: Btf | undefined,
  valueType: number | undefined,
  name: SpecialField,
): number {
  if (btf === undefined || valueType === undefined) return -1;
  const struct = btf.resolve(valueType);
  if (btf.kind(struct) !== BTF_KIND.STRUCT) return -1;
  for (const member of btf.members(struct)) {
    const type = btf.resolve(member.typeId);
    if (btf.kind(type) === BTF_KIND.STRUCT && btf.name(type) === name) return member.bitOffset / 8;
  }
  return -1;
}
