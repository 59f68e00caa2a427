import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disassemble } from '../disassemble.ts';
import { KERNEL_VARIABLES } from '../memory.ts';
import { loadObject } from '../object.ts';
import { action, violation } from '../test-support/both.ts';
import { runText } from '../test-support/run-text.ts';

const variables = [
  { name: 'first', size: 4 },
  { name: 'second', size: 12 },
];
const ZERO = 'r0 = 0\nexit';

describe('bpf_this_cpu_ptr', () => {
  it('leads to the bytes of the variable that it is given, which are the world’s', () => {
    const sum = `
      r1 = ksym[1]
      call bpf_this_cpu_ptr
      r6 = *(u8 *)(r0 + 11)
      r1 = ksym[0]
      call bpf_this_cpu_ptr
      r0 = *(u32 *)(r0 + 0)
      r0 &= 0xffff
      r6 <<= 16
      r0 |= r6
      exit`;
    expect(action(sum, { variables })).toBe(0);
    expect(action(sum, { variables, world: { kernelFill: 0xa5 } })).toBe(0xa5a5a5);
  });

  it.each([
    ['r0 = *(u32 *)(r0 + 4)', 'invalid access to memory, mem_size=4 off=4 size=4'],
    ['r0 = *(u64 *)(r0 + 0)', 'invalid access to memory, mem_size=4 off=0 size=8'],
    ['*(u32 *)(r0 + 0) = 1', 'invalid access to memory, mem_size=4 off=0 size=4'],
  ])('lets nobody write, or read beyond the variable: %s', (access, reason) => {
    expect(violation(`r1 = ksym[0]\ncall bpf_this_cpu_ptr\n${access}\n${ZERO}`, { variables })).toBe(reason);
  });

  it('takes no number, no pointer, and nothing beside the variable’s address', () => {
    for (const [name, load] of [
      ['scalar', 'r1 = 0x13000 ll'],
      ['fp', 'r1 = r10'],
      ['ctx', ''],
    ] as const)
      expect(violation(`${load}\ncall bpf_this_cpu_ptr\n${ZERO}`, { variables })).toMatch(
        `R1 type=${name} expected=percpu_ptr_`,
      );
  });
});

describe('bpf_per_cpu_ptr', () => {
  const isThere = (cpu: bigint): string =>
    `r1 = ksym[0]\nr2 = ${cpu} ll\ncall bpf_per_cpu_ptr\nif r0 == 0 goto none\nr0 = *(u8 *)(r0 + 3)\nr0 += 1\nexit\nnone:\n${ZERO}`;

  it('is null behind the world’s CPU, whatever the upper half of the argument', () => {
    fc.assert(
      fc.property(fc.nat(8), fc.nat(9), fc.nat(2 ** 32 - 1), (last, cpu, high) => {
        const asked = (BigInt(high) << 32n) | BigInt(cpu);
        expect(action(isThere(asked), { variables, world: { cpu: last } })).toBe(cpu <= last ? 1 : 0);
      }),
      { numRuns: 30 },
    );
    expect(action(isThere(0x8000_0000n), { variables })).toBe(0);
  });

  it('has to be compared with null', () => {
    const text = 'r1 = ksym[0]\nr2 = 0\ncall bpf_per_cpu_ptr\nr0 = *(u32 *)(r0 + 0)\nexit';
    expect(runText(text, { variables }).violation?.reason).toBe(
      "R0 invalid mem access 'mem_or_null': compare it with null first",
    );
  });
});

it('a per-CPU address is no memory', () => {
  expect(violation(`r1 = ksym[1]\nr0 = *(u32 *)(r1 + 0)\nexit`, { variables })).toBe(
    "R1 invalid mem access 'percpu_ptr_'",
  );
});

describe('an object that names variables of the kernel', () => {
  const bytes = new Uint8Array(readFileSync(new URL('../test-support/kernel-variables.o', import.meta.url)));

  it('has those that are strong, as large as it declares them, and lacks weak ones where no kernel says otherwise', () => {
    const object = loadObject(bytes);
    expect([...object.variables].sort((a, b) => a.size - b.size)).toEqual([
      { name: 'bpf_prog_active', size: 4 },
      { name: 'runqueues', size: 16 },
    ]);
    expect(object.programs.flatMap(({ missing }) => missing)).toEqual([]);
  });

  it('has what a kernel’s BTF names, a page of it where the object declares no fields', () => {
    const kernel = { version: 0, config: () => undefined, symbol: () => 7n };
    const all = loadObject(bytes, { kernel: { ...kernel, variable: () => true } });
    expect(all.variables).toContainEqual({ name: 'xdpsim_is_nowhere', size: 4096 });
    const none = loadObject(bytes, { kernel: { ...kernel, variable: () => false } });
    expect(none.variables).toEqual([]);
    expect(none.programs[0]!.missing).toEqual([
      'extern bpf_prog_active: expected a variable of the kernel, found none',
      'extern runqueues: expected a variable of the kernel, found none',
    ]);
    const unknown = loadObject(bytes, { kernel: { ...kernel, variable: () => undefined } });
    expect(unknown.variables).toHaveLength(2);
  });

  it('is shown with their names', () => {
    const object = loadObject(bytes);
    expect(disassemble(object, object.programs[0]!)).toContain('r1 = ksym[bpf_prog_active]');
  });

  it('may name as many as there are addresses', () => {
    expect(KERNEL_VARIABLES).toBe(512);
  });
});
