import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BpfObject, BpfProgram } from './bpf-object.ts';
import { checkInstructions } from './check-instructions.ts';
import {
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  CALL,
  callTarget,
  LDDW,
} from './instruction.ts';
import { readElf } from './loader/elf.ts';
import { type KernelFacts, loadObject, ObjectError, setGlobal, sourceAt } from './object.ts';
import { strengthen } from './test-support/strengthen.ts';
import { writeElf } from './test-support/write-elf.ts';

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`./test-support/${name}`, import.meta.url)));
}

function programOf(object: BpfObject, name: string): BpfProgram {
  return object.programs.find((program) => program.function === name)!;
}

function mapOf(object: BpfObject, name: string): BpfObject['maps'][number] {
  return object.maps.find((map) => map.name === name)!;
}

/** Every 16-byte load with this src, as what it refers to. */
function loads(program: BpfProgram, src: number): { imm: number; second: number }[] {
  const { instructions } = program;
  const found: { imm: number; second: number }[] = [];
  for (let index = 0; index < instructions.count; index++) {
    if (instructions.opcode[index] !== LDDW) continue;
    if (instructions.src[index] === src)
      found.push({ imm: instructions.imm[index]!, second: instructions.imm[index + 1]! });
    index++;
  }
  return found;
}

describe('programs', () => {
  const object = loadObject(fixture('linking.o'));

  it('bear function, section and hook, also several in one section', () => {
    expect(object.programs.map((each) => [each.function, each.section, each.hook])).toEqual([
      ['pass', 'xdp', 'xdp'],
      ['count', 'xdp', 'xdp'],
      ['look_egress', 'tc', 'tc-egress'],
    ]);
    expect(object.license).toBe('GPL');
    expect(object.kernelVersion).toBe(0x60102);
  });

  it('carry each subprogram that they reach once, callbacks and callees of callees too, in the order of libbpf', () => {
    const names = (name: string): string[] => programOf(object, name).subprograms.map((each) => each.name);
    expect(names('pass')).toEqual(['pass']);
    expect(names('count')).toEqual(['count', 'add_one', 'twice', 'thrice']);
    expect(names('look_egress')).toEqual(['look_egress', 'twice']);
    const { subprograms, instructions } = programOf(object, 'count');
    expect(subprograms.reduce((sum, each) => sum + each.count, 0)).toBe(instructions.count);
    for (const [index, each] of subprograms.entries()) {
      expect(each.start).toBe(
        index === 0 ? 0 : subprograms[index - 1]!.start + subprograms[index - 1]!.count,
      );
      expect(object.btf!.name(each.typeId!)).toBe(each.name);
    }
  });

  it('call to where the functions went', () => {
    const { instructions, subprograms } = programOf(object, 'count');
    const starts = new Map(subprograms.map((each) => [each.start, each.name]));
    const called: (string | undefined)[] = [];
    for (let index = 0; index < instructions.count; index++) {
      const local = instructions.opcode[index] === CALL && instructions.src[index] === 1;
      const callback = instructions.opcode[index] === LDDW && instructions.src[index] === BPF_PSEUDO_FUNC;
      if (local || callback) called.push(starts.get(callTarget(instructions, index)));
      if (instructions.opcode[index] === LDDW) index++;
    }
    expect(called).toEqual(['add_one', 'thrice', 'twice', 'twice']);
  });

  it('pass the structural checks of the kernel', () => {
    for (const program of object.programs) checkInstructions(program.instructions);
  });

  it('name maps by index, and variables by map and offset', () => {
    const index = (name: string): number => object.maps.findIndex((map) => map.name === name);
    const count = programOf(object, 'count');
    expect(loads(count, BPF_PSEUDO_MAP_FD)).toEqual([
      { imm: index('total'), second: 0 },
      { imm: index('jumps'), second: 0 },
    ]);
    expect(loads(count, BPF_PSEUDO_MAP_VALUE)).toEqual([
      { imm: index('.data'), second: 4 },
      { imm: index('.data'), second: 0 },
      { imm: index('.data.custom'), second: 0 },
      { imm: index('.kconfig'), second: 0 },
      { imm: index('.rodata'), second: 0 },
      { imm: index('.rodata'), second: 4 },
      { imm: index('.rodata'), second: 10 },
      { imm: index('.bss'), second: 0 },
    ]);
  });

  it('have line info, that of subprograms moved with them', () => {
    const count = programOf(object, 'count');
    const twice = count.subprograms.find((each) => each.name === 'twice')!;
    const source = sourceAt(count, twice.start + 1);
    expect(source).toMatchObject({ file: 'linking.bpf.c', text: 'return value * 2 + (int)seen;' });
    const text = readFileSync(new URL('./test-support/linking.bpf.c', import.meta.url), 'utf8').split('\n');
    for (const row of count.lineInfo) expect(text[row.line - 1]!.trim()).toBe(row.text);
    expect(sourceAt({ ...count, lineInfo: [] }, 3)).toBeUndefined();
  });

  it('are the functions of .text where there are no others', () => {
    // The section `xdp_count` becomes one that holds no program: nothing but its name says where programs are.
    const bytes = rename(fixture('legacy-maps.o'), 'xdp_count', '.text\0\0\0\0');
    expect(loadObject(bytes).programs.map((each) => [each.function, each.section, each.hook])).toEqual([
      ['legacy', '.text', undefined],
    ]);
  });
});

describe('externs', () => {
  it('number kernel functions, and say of weak symbols that they are absent', () => {
    const object = loadObject(fixture('linking.o'));
    expect(object.kfuncs).toEqual(['bpf_rcu_read_lock', 'bpf_rcu_read_unlock']);
    const count = programOf(object, 'count');
    const { instructions } = count;
    const calls = [...instructions.opcode.keys()].filter(
      (index) => instructions.opcode[index] === CALL && instructions.src[index] === BPF_PSEUDO_KFUNC_CALL,
    );
    expect(calls.map((index) => object.kfuncs[instructions.imm[index]!])).toEqual(object.kfuncs);
    // &absent_symbol, then bpf_rcu_read_lock as a question whether it is there.
    expect(loads(count, 0)).toEqual([
      { imm: 0, second: 0 },
      { imm: 1, second: 0 },
    ]);
    expect(count.poisoned.size).toBe(0);
  });

  it('are absent, and calls of them poisoned, where the machine lacks weak kernel functions', () => {
    const object = loadObject(fixture('linking.o'), { kfuncs: new Set(['bpf_rcu_read_unlock']) });
    const count = programOf(object, 'count');
    expect(loads(count, 0)).toEqual([
      { imm: 0, second: 0 },
      { imm: 0, second: 0 },
    ]);
    expect([...count.poisoned.values()]).toEqual(['the kernel function bpf_rcu_read_lock does not exist']);
    const [index] = [...count.poisoned.keys()];
    expect([count.instructions.opcode[index!], count.instructions.imm[index!]]).toEqual([
      CALL,
      2_002_000_000,
    ]);
  });

  it('are, where they are weak, what the kernel at hand has: lacking where the machine has them not, absent where the kernel does not', () => {
    const name = 'bpf_rcu_read_lock';
    const lookup = (kfuncs: ReadonlySet<string>, hasFunction: KernelFacts['hasFunction']): unknown => {
      const facts = {
        version: 0,
        config: () => undefined,
        symbol: () => undefined,
        variable: () => undefined,
      };
      const kernel = hasFunction === undefined ? facts : { ...facts, hasFunction };
      const count = programOf(loadObject(fixture('linking.o'), { kfuncs, kernel }), 'count');
      return [loads(count, 0)[1]!.imm, count.missing.some((text) => text.includes(name))];
    };
    const all = new Set([name, 'bpf_rcu_read_unlock']);
    const others = new Set(['bpf_rcu_read_unlock']);
    expect(lookup(all, () => true)).toEqual([1, false]);
    expect(lookup(all, () => false)).toEqual([0, false]);
    expect(lookup(others, () => true)).toEqual([0, true]);
    for (const nothingKnown of [() => false, () => undefined, undefined])
      expect(lookup(others, nothingKnown)).toEqual([0, false]);
  });

  it.each([
    ['absent_symbol', 'extern absent_symbol: expected a variable of the kernel, found no kernel to ask'],
    [
      'CONFIG_ABSENT',
      'extern CONFIG_ABSENT: expected a value of the kernel’s configuration, found no kernel to ask',
    ],
    ['bpf_rcu_read_lock', 'extern bpf_rcu_read_lock: expected a kernel function that is there, found none'],
  ])('are missing in programs that refer to them when they are strong: %s', (name, message) => {
    const bytes = strengthen(fixture('linking.o'), name);
    const object = loadObject(bytes, { kfuncs: new Set() });
    expect(programOf(object, 'count').missing).toContain(message);
    expect(object.programs.filter(({ missing }) => missing.length === 0)).not.toEqual([]);
  });

  it.each(['absent_symbol', 'bpf_rcu_read_lock'])(
    'are to be linked where they are not said to be the kernel’s: %s',
    (name) => {
      const bytes = rename(strengthen(fixture('linking.o'), name), '.ksyms', '.other');
      const object = loadObject(bytes, { kfuncs: new Set() });
      expect(programOf(object, 'count').missing).toContain(
        `extern ${name}: expected a definition, found none in this object: those of several files are linked first (bpftool gen object)`,
      );
    },
  );

  it('are missing for the reason for which nothing of the kernel can be read', () => {
    const bytes = strengthen(strengthen(fixture('linking.o'), 'absent_symbol'), 'CONFIG_ABSENT');
    const nothing = {
      version: 0,
      config: () => undefined,
      symbol: () => undefined,
      variable: () => undefined,
    };
    const missingWith = (kernel: KernelFacts): readonly string[] =>
      programOf(loadObject(bytes, { kernel }), 'count').missing;
    const of = (symbol: string, config: string): string[] => [
      `extern absent_symbol: expected a variable of the kernel, found ${symbol}`,
      `extern CONFIG_ABSENT: expected a value of the kernel’s configuration, found ${config}`,
    ];
    expect(missingWith(nothing)).toEqual(expect.arrayContaining(of('none', 'none')));
    expect(missingWith({ ...nothing, unread: () => undefined })).toEqual(
      expect.arrayContaining(of('none', 'none')),
    );
    expect(missingWith({ ...nothing, unread: (what) => `no ${what} here` })).toEqual(
      expect.arrayContaining(of('no symbols here', 'no config here')),
    );
  });

  it('have the value that the kernel gives them', () => {
    const bytes = strengthen(strengthen(fixture('linking.o'), 'absent_symbol'), 'CONFIG_ABSENT');
    const kernel = {
      version: 0x06_0c_00,
      config: (name: string) => (name === 'CONFIG_ABSENT' ? '77' : undefined),
      symbol: (name: string) => (name === 'absent_symbol' ? 0xffff_ffff_8123_4560n : undefined),
      variable: () => undefined,
    };
    const object = loadObject(bytes, { kernel });
    expect(programOf(object, 'count').missing).toEqual([]);
    expect(loads(programOf(object, 'count'), 0)[0]).toEqual({ imm: 0x8123_4560 | 0, second: -1 });
    expect(object.maps.find((map) => map.name === '.kconfig')!.global!.bytes[0]).toBe(77);
  });
});

describe('maps', () => {
  const object = loadObject(fixture('linking.o'));

  it('come in the order of the source, data sections behind them', () => {
    expect(object.maps.map((map) => map.name)).toEqual([
      ...['first', 'second', 'outer', 'jumps', 'total'],
      ...['.rodata', '.data', '.data.custom', '.bss', '.kconfig'],
    ]);
    expect(mapOf(object, 'first')).toMatchObject({ type: 'HASH', keySize: 4, valueSize: 24, maxEntries: 16 });
    expect(mapOf(object, 'total')).toMatchObject({
      type: 'ARRAY',
      valueSize: 8,
      maxEntries: 1,
      pinning: 'by-name',
    });
    expect(mapOf(object, 'first').pinning).toBe('none');
    expect(object.btf!.name(mapOf(object, 'first').valueType!)).toBe('stats');
  });

  it('of maps have a template and initial values, prog arrays their programs', () => {
    expect(mapOf(object, 'outer')).toMatchObject({
      type: 'ARRAY_OF_MAPS',
      keySize: 4,
      valueSize: 4,
      inner: { name: 'outer.inner', type: 'HASH', keySize: 4, valueSize: 24, maxEntries: 16 },
      initial: [
        { key: 1, name: 'first' },
        { key: 3, name: 'second' },
      ],
    });
    expect(mapOf(object, 'jumps')).toMatchObject({
      type: 'PROG_ARRAY',
      initial: [
        { key: 2, name: 'pass' },
        { key: 5, name: 'count' },
      ],
    });
  });

  it('that hold globals have contents and variables', () => {
    const rodata = mapOf(object, '.rodata').global!;
    expect(rodata.readOnly).toBe(true);
    expect(mapOf(object, '.data').global!.readOnly).toBe(false);
    expect(
      Object.fromEntries([...rodata.variables].map(([name, { offset, size }]) => [name, [offset, size]])),
    ).toEqual({
      limit: [0, 4],
      ports: [4, 6],
      'count.____fmt': [10, 7],
    });
    expect([...mapOf(object, '.bss').global!.bytes]).toEqual(Array(8).fill(0));
    expect(mapOf(object, '.data.custom').global!.variables.get('named')).toMatchObject({
      offset: 0,
      size: 4,
    });
  });

  it('of the old kind are read from section maps', () => {
    const legacy = loadObject(fixture('legacy-maps.o'));
    expect(legacy.maps).toMatchObject([
      { name: 'counters', type: 'PERCPU_ARRAY', keySize: 4, valueSize: 8, maxEntries: 5, mapFlags: 0 },
      { name: 'addresses', type: 'LPM_TRIE', keySize: 8, valueSize: 4, maxEntries: 100, mapFlags: 1 },
    ]);
    expect(loads(legacy.programs[0]!, BPF_PSEUDO_MAP_FD).map(({ imm }) => imm)).toEqual([1, 0]);
  });

  it('of iproute2 are read with pinning, and with their inner maps', () => {
    const { maps } = loadObject(fixture('iproute2-maps.o'));
    expect(maps).toMatchObject([
      { name: 'acc_map', type: 'ARRAY', keySize: 4, valueSize: 4, maxEntries: 2, pinning: 'by-name' },
      { name: 'inside', type: 'HASH', pinning: 'none' },
      {
        name: 'outside',
        type: 'ARRAY_OF_MAPS',
        inner: { name: 'inside' },
        initial: [{ key: 3, name: 'inside' }],
      },
    ]);
  });

  /** An ARRAY of 4 elements, and what stands behind its five fields. */
  const defined = (flags: number, ...more: number[]): Uint8Array => {
    const words = [2, 4, 8, 4, flags, ...more];
    return writeElf({ main: 'r0 = 2\nexit' }, [], {
      maps: { hits: [...new Uint8Array(Uint32Array.from(words).buffer)] },
    });
  };

  it.each([
    ['without maps in maps', [5, 2]],
    ['with an inner map’s number', [5, 2, 0]],
  ])('of iproute2 are read as they were before: %s', (_, more) => {
    expect(loadObject(defined(0, ...more)).maps).toMatchObject([
      { name: 'hits', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 4, pinning: 'by-name' },
    ]);
  });

  it('of neither kind are refused', () => {
    expect(() => loadObject(defined(0, 5))).toThrow('found a field at +0x14');
    // The kernel's samples: a NUMA node, which counts with this flag.
    expect(() => loadObject(defined(4, 0, 2))).toThrow('found a field at +0x18');
    expect(loadObject(defined(0, 0, 0)).maps).toMatchObject([{ name: 'hits', pinning: 'none' }]);
  });
});

describe('setGlobal', () => {
  it('writes a variable, in whichever section it is', () => {
    const object = loadObject(fixture('linking.o'));
    setGlobal(object, 'ports', Uint8Array.of(1, 0, 2, 0, 3, 0));
    setGlobal(object, 'generation', Uint8Array.of(9, 0, 0, 0));
    expect([...mapOf(object, '.rodata').global!.bytes.subarray(0, 10)]).toEqual([
      7, 0, 0, 0, 1, 0, 2, 0, 3, 0,
    ]);
    expect([...mapOf(object, '.data').global!.bytes]).toEqual([9, 0, 0, 0, 4, 0, 0, 0]);
    // A fresh load starts with what the file says.
    expect(mapOf(loadObject(fixture('linking.o')), '.data').global!.bytes[0]).toBe(3);
  });

  it('refuses unknown names and other sizes', () => {
    const object = loadObject(fixture('linking.o'));
    expect(() => setGlobal(object, 'nothing', new Uint8Array(4))).toThrow(
      'global nothing: expected a variable of that name',
    );
    expect(() => setGlobal(object, 'limit', new Uint8Array(2))).toThrow(
      'global limit: expected 4 bytes, found 2',
    );
  });
});

describe('loadObject', () => {
  it.each([
    ['an empty file', () => new Uint8Array(0), 'the magic 7f 45 4c 46, found an empty file'],
    [
      'LLVM bitcode',
      () => Uint8Array.of(0x42, 0x43, 0xc0, 0xde, 0x35),
      'found 42 43 c0 de, LLVM bitcode: compile without -emit-llvm, or make an object of it with llc -march=bpf',
    ],
    ['a capture', () => Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a), 'found 0a 0d 0d 0a, a pcapng capture'],
    ['a script', () => new TextEncoder().encode('#!/bin/sh\n'), 'found 23 21 2f 62'],
    [
      'a cut-off header',
      () => fixture('linking.o').slice(0, 40),
      'ELF file +0x0: expected an ELF header (64 bytes)',
    ],
    ['big-endian objects by name', () => patched(5, 2), 'found a big-endian one (ELFDATA2MSB'],
    ['32-bit objects by name', () => patched(4, 1), 'found a 32-bit object (ELFCLASS32)'],
    [
      'objects for other machines by name',
      () => patched(18, 62),
      'code for eBPF (EM_BPF, clang -target bpf), found code for x86-64',
    ],
    ['unknown machines by number', () => patched(18, 0xfe), 'found machine 254'],
    ['executables', () => patched(16, 2), 'a relocatable object (ET_REL), found an executable (ET_EXEC)'],
    [
      'shared libraries',
      () => patched(16, 3),
      'a relocatable object (ET_REL), found an executable or a shared library',
    ],
    ['unknown types', () => patched(16, 9), 'a relocatable object (ET_REL), found e_type 9'],
    [
      'texts',
      () => new TextEncoder().encode('\t.text\n'),
      'found 09 2e 74 65, a text file: name the compiled object',
    ],
    ['a section table beyond the end', () => patched(43, 1), 'section headers'],
    ['names of sections in a section that is not there', () => patched(62, 0xf0), 'a section index below'],
  ])('refuses %s', (_, make, message) => {
    expect(() => loadObject(make())).toThrow(ObjectError);
    expect(() => loadObject(make())).toThrow(message);
  });

  it('takes sections that share bytes, while all together are no larger than the file', () => {
    const bytes = fixture('linking.o');
    const view = new DataView(bytes.buffer);
    const sections = Number(view.getBigUint64(40, true));
    const count = view.getUint16(60, true);
    const header = (index: number): number => sections + 64 * index;
    const type = (index: number): number => view.getUint32(header(index) + 4, true);
    let stored = 0;
    for (let index = 0; index < count; index++)
      if (type(index) !== 0 && type(index) !== 8)
        stored += Number(view.getBigUint64(header(index) + 32, true));
    // The license grows over its neighbours.
    let license = 0;
    for (let index = 1; index < count; index++) {
      const at = Number(view.getBigUint64(header(index) + 24, true));
      if (String.fromCharCode(...bytes.subarray(at, at + 4)) === 'GPL\0') license = index;
    }
    const growTo = (all: number): (() => unknown) => {
      const grown = bytes.slice();
      const size = 4n + BigInt(all - stored);
      new DataView(grown.buffer).setBigUint64(header(license) + 32, size, true);
      new DataView(grown.buffer).setBigUint64(header(license) + 24, 64n, true);
      return () => readElf(grown);
    };
    expect(growTo(bytes.length)).not.toThrow();
    expect(growTo(bytes.length + 1)).toThrow('sections that do not overlap');
  });

  it('takes objects whose machine is not set, as old compilers left it', () => {
    expect(loadObject(patched(18, 0)).programs.length).toBe(3);
  });

  it('refuses fields of map definitions that it does not know, by name', () => {
    const bytes = rename(fixture('linking.o'), 'max_entries', 'max_entriez');
    expect(() => loadObject(bytes)).toThrow('found a field max_entriez');
  });
});

/** `linking.o` with one byte changed. */
function patched(at: number, value: number): Uint8Array {
  const bytes = fixture('linking.o');
  bytes[at] = value;
  return bytes;
}

/** Replaces every occurrence of a NUL-terminated name by one of the same length. */
function rename(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const encoder = new TextEncoder();
  const [old, fresh] = [encoder.encode(`${from}\0`), encoder.encode(`${to}\0`)];
  for (let at = 0; at + old.length <= bytes.length; at++) {
    if (old.every((byte, index) => bytes[at + index] === byte)) bytes.set(fresh, at);
  }
  return bytes;
}
