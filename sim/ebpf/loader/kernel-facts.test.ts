import { describe, expect, it } from 'vitest';
import { parseBtf } from '../btf.ts';
import { type KernelVersion, versionCode } from '../kernel-versions.ts';
import { BtfBuilder } from '../test-support/btf-builder.ts';
import { type KernelFacts, writeConfig } from './kernel-facts.ts';

const builder = new BtfBuilder();
const NUMBER = builder.int('int', 4, 1);
const BOOL = builder.int('bool', 1, 4);
const btf = parseBtf(builder.bytes());

const SET = ['CONFIG_BPF_EVENTS', 'CONFIG_ARCH_HAS_SYSCALL_WRAPPER', 'CONFIG_KPROBE_EVENTS'];

function kernel(version: KernelVersion, set: readonly string[] | undefined): KernelFacts {
  return {
    version: versionCode(version),
    config: (name) => (set?.includes(name) === true ? 'y' : undefined),
    symbol: () => undefined,
    variable: () => undefined,
    unread: (what) => (what === 'config' && set === undefined ? 'nothing to read it from' : undefined),
  };
}

/** What a program reads there, or what is wrong. */
function read(name: string, type: number, facts: KernelFacts): string | number {
  const target = new Uint8Array(btf.sizeOf(type));
  return (
    writeConfig(name, type, btf, facts, target) ?? target.reduceRight((sum, byte) => sum * 256 + byte, 0)
  );
}

describe('what libbpf makes up', () => {
  it('is the version', () => {
    expect(read('LINUX_KERNEL_VERSION', NUMBER, kernel('6.12', []))).toBe(0x06_0c_00);
    expect(read('LINUX_KERNEL_VERSION', BOOL, kernel('6.12', []))).toBe('of another type');
  });

  it('is whether programs have a cookie: since 5.15, where they are attached to events', () => {
    const cookie = (
      version: KernelVersion,
      set: readonly string[] | undefined,
      type = BOOL,
    ): string | number => read('LINUX_HAS_BPF_COOKIE', type, kernel(version, set));
    expect([cookie('5.15', SET), cookie('6.12', SET, NUMBER)]).toEqual([1, 1]);
    expect([cookie('5.10', SET), cookie('6.12', [])]).toEqual([0, 0]);
  });

  it('is whether system calls have a wrapper that probes find', () => {
    const wrapper = (set: readonly string[] | undefined): string | number =>
      read('LINUX_HAS_SYSCALL_WRAPPER', BOOL, kernel('6.12', set));
    expect(wrapper(SET)).toBe(1);
    expect(SET.map((left) => wrapper(SET.filter((name) => name !== left)))).toEqual([1, 0, 0]);
  });

  it('is what distributions have where no configuration can be read', () => {
    for (const name of ['LINUX_HAS_BPF_COOKIE', 'LINUX_HAS_SYSCALL_WRAPPER'])
      expect(read(name, BOOL, kernel('6.12', undefined))).toBe(1);
  });

  it('is nothing else', () => {
    expect(read('LINUX_HAS_WINGS', BOOL, kernel('6.12', SET))).toBe('not set');
    expect(read('CONFIG_BPF_EVENTS', BOOL, kernel('6.12', SET))).toBe(1);
  });
});
