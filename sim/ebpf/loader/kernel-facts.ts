/** What an object may ask of the kernel it is loaded into: its configuration, its version, where its variables lie. */
import { BTF_KIND, type Btf } from '../btf.ts';
import { versionCode } from '../kernel-versions.ts';

/** Given by whoever can ask a kernel: this folder cannot. */
export interface KernelFacts {
  /** The value of a `CONFIG_…` as the kernel's .config has it: `y`, `m`, `250`, `"text"`; undefined: not set. */
  config(name: string): string | undefined;
  /** `KERNEL_VERSION(a, b, c)` of linux/version.h. */
  readonly version: number;
  /** The address of a symbol of the kernel; undefined: there is none, or it is not told. */
  symbol(name: string): bigint | undefined;
  /** Is there a variable of that name in the kernel's BTF? undefined: it has none to look into. */
  variable(name: string): boolean | undefined;
  /** Has it a function of that name? undefined: it is not told; absent: this is not the kernel that runs. */
  hasFunction?(name: string): boolean | undefined;
  /** Why nothing is known of its configuration, or of its symbols: "no kernel to ask"; undefined: they were read. */
  unread?(what: 'config' | 'symbols'): string | undefined;
}

/** `bpf_get_attach_cookie` came with 5.15. */
const COOKIE_SINCE = versionCode('5.15');

/**
 * Those that are in no configuration: libbpf makes them up, and finds the second and the third by trying (`probe_kern_bpf_cookie`,
 * `probe_kern_syscall_wrapper`). They are told here by what such a try takes.
 * @returns undefined: it knows none of that name
 */
function madeUp(name: string, facts: KernelFacts): number | undefined {
  switch (name) {
    case 'LINUX_KERNEL_VERSION':
      return facts.version;
    case 'LINUX_HAS_BPF_COOKIE':
      return Number(facts.version >= COOKIE_SINCE && isOn('CONFIG_BPF_EVENTS', facts));
    case 'LINUX_HAS_SYSCALL_WRAPPER':
      return Number(isOn('CONFIG_ARCH_HAS_SYSCALL_WRAPPER', facts) && isOn('CONFIG_KPROBE_EVENTS', facts));
    default:
      return undefined;
  }
}

/** As in every distribution, where nobody can tell. */
function isOn(name: string, facts: KernelFacts): boolean {
  return facts.config(name) === 'y' || facts.unread?.('config') !== undefined;
}

const TRISTATE: Readonly<Record<string, number>> = { n: 0, y: 1, m: 2 };

/**
 * Writes a configuration value where a program reads it, in the form of its declaration (libbpf, `set_kcfg_value_*`).
 * @param typeId the declaration's (kind VAR), or its type's
 * @param target as many bytes as the declaration's type has, all zero
 * @returns undefined, or what is wrong
 */
export function writeConfig(
  name: string,
  typeId: number,
  btf: Btf,
  facts: KernelFacts,
  target: Uint8Array,
): 'not set' | 'of another type' | undefined {
  const type = btf.resolve(btf.kind(typeId) === BTF_KIND.VAR ? btf.target(typeId) : typeId);
  const kind = btf.kind(type);
  const number = madeUp(name, facts);
  if (number !== undefined)
    return kind === BTF_KIND.INT ? writeNumber(`${number}`, target) : 'of another type';
  const value = facts.config(name);
  if (value === undefined) return 'not set';
  if (kind === BTF_KIND.ARRAY) return writeText(value, target);
  if (kind === BTF_KIND.ENUM || kind === BTF_KIND.ENUM64) {
    const state = TRISTATE[value];
    if (state === undefined) return 'of another type';
    target[0] = state;
    return undefined;
  }
  if (kind !== BTF_KIND.INT) return 'of another type';
  if (btf.int(type).bool) {
    if (value !== 'y' && value !== 'n') return 'of another type';
    target[0] = value === 'y' ? 1 : 0;
    return undefined;
  }
  // A single character holds the letter itself.
  if (target.length === 1 && /^[ymn]$/.test(value)) {
    target[0] = value.charCodeAt(0);
    return undefined;
  }
  return writeNumber(value, target);
}

function writeText(value: string, target: Uint8Array): 'of another type' | undefined {
  if (!value.startsWith('"') || !value.endsWith('"') || value.length < 2) return 'of another type';
  const text = new TextEncoder().encode(value.slice(1, -1));
  target.set(text.subarray(0, Math.max(0, target.length - 1)));
  return undefined;
}

function writeNumber(value: string, target: Uint8Array): 'of another type' | undefined {
  if (!/^-?(0x[0-9a-fA-F]+|\d+)$/.test(value)) return 'of another type';
  const magnitude = BigInt(value.replace('-', ''));
  let rest = value.startsWith('-') ? -magnitude : magnitude;
  for (let at = 0; at < target.length; at++, rest >>= 8n) target[at] = Number(rest & 0xffn);
  return rest === 0n || rest === -1n ? undefined : 'of another type';
}
