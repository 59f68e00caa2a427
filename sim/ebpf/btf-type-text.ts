/** Types as C writes them, from BTF: `struct flow { __be32 saddr; __be16 port; }`. */
import { BTF_KIND, type Btf } from './btf.ts';

/** Members of members are shown, theirs are not. */
const MAX_DEPTH = 2;
/** Longer ones are cut: `enum` lists of the kernel's have hundreds. */
const MAX_PARTS = 24;

/** Returns a type as a declaration without a name has it; structs and enums with their members. */
export function typeText(btf: Btf, id: number): string {
  return declaration(btf, id, '', 0);
}

function declaration(btf: Btf, id: number, name: string, depth: number): string {
  const kind = btf.kind(id);
  const named = (text: string): string => (name === '' ? text : `${text} ${name}`);
  switch (kind) {
    case BTF_KIND.ARRAY: {
      const { elementType, count } = btf.array(id);
      return declaration(btf, elementType, `${name}[${count}]`, depth);
    }
    case BTF_KIND.PTR:
      return named('void *');
    case BTF_KIND.CONST:
      return `const ${declaration(btf, btf.target(id), name, depth)}`;
    case BTF_KIND.VOLATILE:
      return `volatile ${declaration(btf, btf.target(id), name, depth)}`;
    case BTF_KIND.RESTRICT:
    case BTF_KIND.TYPE_TAG:
      return declaration(btf, btf.target(id), name, depth);
    case BTF_KIND.STRUCT:
    case BTF_KIND.UNION:
      return named(compositeText(btf, id, depth));
    case BTF_KIND.ENUM:
    case BTF_KIND.ENUM64:
      return named(enumText(btf, id, depth));
    default:
      return named(btf.name(id) || btf.kindName(id).toLowerCase());
  }
}

function compositeText(btf: Btf, id: number, depth: number): string {
  const head = `${btf.kind(id) === BTF_KIND.UNION ? 'union' : 'struct'} ${btf.name(id)}`.trimEnd();
  if (depth >= MAX_DEPTH) return head;
  const members = btf.members(id).map((member) => {
    const text = declaration(btf, member.typeId, member.name, depth + 1);
    return `${text}${member.bitfieldSize > 0 ? ` : ${member.bitfieldSize}` : ''};`;
  });
  return `${head} { ${cut(members).join(' ')} }`;
}

function enumText(btf: Btf, id: number, depth: number): string {
  const head = `enum ${btf.name(id)}`.trimEnd();
  if (depth >= MAX_DEPTH) return head;
  return `${head} { ${cut(btf.enumerators(id).map((one) => one.name)).join(', ')} }`;
}

function cut(parts: readonly string[]): readonly string[] {
  return parts.length <= MAX_PARTS ? parts : [...parts.slice(0, MAX_PARTS), '…'];
}
