/** Values to start from, by their types, as a world file has them. */
import { BTF_KIND, type Btf } from '../btf.ts';
import { flatMembers } from '../btf-encode.ts';
import { BIG_ENDIAN_TYPES } from '../btf-value.ts';

/** Values inside values; more would be a circle. */
const MAX_DEPTH = 8;

/** A value of the type that says what can be written there; undefined for a type that nothing can be written for. */
export function sampleOf(btf: Btf, typeId: number, name: string = '', depth: number = 0): unknown {
  if (depth > MAX_DEPTH) return undefined;
  let id = btf.resolve(typeId, false);
  let big = false;
  for (let steps = 0; btf.kind(id) === BTF_KIND.TYPEDEF && steps < MAX_DEPTH; steps++) {
    big ||= BIG_ENDIAN_TYPES.has(btf.name(id));
    id = btf.resolve(btf.target(id), false);
  }
  switch (btf.kind(id)) {
    case BTF_KIND.INT: {
      const int = btf.int(id);
      if (int.bool) return false;
      const isAddress = int.size === 4 && (big || /addr|(^|_)(ip4?|gw|gateway|vip|dst|src)$/i.test(name));
      return isAddress ? '10.0.0.1' : int.size === 16 ? '2001:db8::1' : 0;
    }
    case BTF_KIND.ENUM:
    case BTF_KIND.ENUM64:
      return btf.enumerators(id)[0]?.name ?? 0;
    case BTF_KIND.FLOAT:
    case BTF_KIND.PTR:
      return 0;
    case BTF_KIND.ARRAY:
      return sampleOfArray(btf, id, name, depth);
    case BTF_KIND.UNION:
    case BTF_KIND.STRUCT: {
      const size = btf.sizeOf(id);
      if (size === 16 && btf.name(id) === 'in6_addr') return '2001:db8::1';
      const isUnion = btf.kind(id) === BTF_KIND.UNION;
      const members = isUnion ? btf.members(id).slice(0, 1) : membersOf(btf, id);
      const fields = members.flatMap((member) => {
        const value = sampleOf(btf, member.typeId, member.name, depth + 1);
        return value === undefined ? [] : [[member.name, value] as const];
      });
      return Object.fromEntries(fields.filter(([field]) => field !== ''));
    }
    default:
      return undefined;
  }
}

/** Members that do not lie where another has been: of an anonymous union the first. */
function membersOf(btf: Btf, id: number): { name: string; typeId: number }[] {
  let end = 0;
  return flatMembers(btf, id, 0, 0).filter((member) => {
    if (/^(_*pad(ding)?|_*reserved|unused)\d*$/i.test(member.name)) return false;
    // Locks and timers are the kernel's.
    if (['bpf_spin_lock', 'bpf_timer'].includes(btf.name(btf.resolve(member.typeId)))) return false;
    if (member.bitOffset < end) return false;
    end = member.bitOffset + (member.bitfieldSize || btf.sizeOf(member.typeId) * 8);
    return true;
  });
}

function sampleOfArray(btf: Btf, id: number, name: string, depth: number): unknown {
  const { elementType, count } = btf.array(id);
  const element = btf.resolve(elementType);
  const size = btf.sizeOf(id);
  const isInt = btf.kind(element) === BTF_KIND.INT;
  if (isInt && btf.name(element) === 'char') return 'text'.slice(0, count);
  if (isInt && size === 6) return '02:00:00:00:00:01';
  if (isInt && size === 16) return '2001:db8::1';
  if (count === 0) return undefined;
  const item = sampleOf(btf, elementType, name, depth + 1);
  return item === undefined ? undefined : [item];
}
