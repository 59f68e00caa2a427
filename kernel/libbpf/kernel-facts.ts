/** The running kernel's configuration, version and symbols, as libbpf finds them for externs. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { gunzipSync } from 'node:zlib';
import { BTF_KIND, parseBtf } from '../../sim/ebpf/btf.ts';
import type { KernelFacts } from '../../sim/ebpf/object.ts';

let config: ReadonlyMap<string, string> | undefined;
let symbols: ReadonlyMap<string, bigint> | undefined;
let variables: ReadonlySet<string> | 'no BTF' | undefined;

/** Undefined where there is no Linux kernel to ask. Files are read when the first answer is wanted. */
export function runningKernel(): KernelFacts | undefined {
  if (process.platform !== 'linux') return undefined;
  return FACTS;
}

const FACTS: KernelFacts = {
  config(name) {
    config ??= readConfig();
    return config.get(name);
  },
  get version() {
    const [major = 0, minor = 0, patch = 0] = release()
      .split(/[.-]/)
      .map((part) => Number(part) || 0);
    return (major << 16) | (minor << 8) | Math.min(patch, 255);
  },
  symbol(name) {
    symbols ??= readSymbols();
    return symbols.get(name);
  },
  hasFunction(name) {
    symbols ??= readSymbols();
    return symbols.size === 0 ? undefined : symbols.has(name);
  },
  variable(name) {
    variables ??= readVariables() ?? 'no BTF';
    return variables === 'no BTF' ? undefined : variables.has(name);
  },
  unread(what) {
    if (what === 'symbols') {
      symbols ??= readSymbols();
      return symbols.size === 0 ? 'no address: /proc/kallsyms shows this user none' : undefined;
    }
    config ??= readConfig();
    if (config.size > 0) return undefined;
    return `nothing to read it from (/boot/config-${release()}, /proc/config.gz)`;
  },
};

/** libbpf looks into the same two places, in this order (`bpf_object__read_kconfig_file`). */
function readConfig(): ReadonlyMap<string, string> {
  const text =
    readIfThere(`/boot/config-${release()}`)?.toString() ?? unpacked(readIfThere('/proc/config.gz'));
  const lines = (text ?? '').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const parts = /^(CONFIG_\w+)=(.*)$/.exec(line);
      return parts === null ? [] : [[parts[1]!, parts[2]!] as const];
    }),
  );
}

function unpacked(bytes: Buffer | undefined): string | undefined {
  try {
    return bytes === undefined ? undefined : gunzipSync(bytes).toString();
  } catch {
    return undefined;
  }
}

/** Without the rights to see addresses, all of them are 0: then no symbol is known. */
function readSymbols(): ReadonlyMap<string, bigint> {
  const found = new Map<string, bigint>();
  for (const line of (readIfThere('/proc/kallsyms')?.toString() ?? '').split('\n')) {
    const parts = /^([0-9a-f]+) \w (\S+)$/.exec(line);
    const address = parts === null ? 0n : BigInt(`0x${parts[1]}`);
    if (address !== 0n) found.set(parts![2]!, address);
  }
  return found;
}

function readVariables(): ReadonlySet<string> | undefined {
  const bytes = readIfThere('/sys/kernel/btf/vmlinux');
  if (bytes === undefined) return undefined;
  const btf = parseBtf(bytes);
  const names = new Set<string>();
  for (let id = 1; id < btf.count; id++) if (btf.kind(id) === BTF_KIND.VAR) names.add(btf.name(id));
  return names;
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
