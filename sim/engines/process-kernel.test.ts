/** Every machine of a process sees the kernel that the process uses, whoever opens it. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KernelFacts } from '../ebpf/loader/kernel-facts.ts';
import { strengthen } from '../ebpf/test-support/strengthen.ts';
import type { Program } from '../runtime/program.ts';
import { openMachine } from './machine-program.ts';
import { useKernel } from './process-kernel.ts';

const FIXTURE = new URL('../ebpf/test-support/linking.o', import.meta.url);
const program: Program = {
  name: 'test',
  entries: [{ function: 'count', hook: 'xdp' }],
  object: ['absent_symbol', 'CONFIG_ABSENT'].reduce(strengthen, new Uint8Array(readFileSync(FIXTURE))),
};

const kernel = (value: string) => (): KernelFacts => ({
  version: 0x060c00,
  config: (name) => (name === 'CONFIG_ABSENT' ? value : undefined),
  symbol: (name) => (name === 'absent_symbol' ? 0x8123_4560n : undefined),
  variable: () => undefined,
});

function configIn(options: Parameters<typeof openMachine>[2]): number | undefined {
  const { machine } = openMachine(program, {}, options);
  return machine.object.maps.find((map) => map.name === '.kconfig')?.global?.bytes[0];
}

beforeEach(() => useKernel(undefined));
afterEach(() => useKernel(undefined));

it('sees it where nobody gives a kernel of its own', () => {
  expect(() => configIn({})).toThrow('no kernel to ask');
  useKernel(kernel('77'));
  expect(configIn({})).toBe(77);
  expect(configIn({ asKernel: '6.12' })).toBe(77);
  expect(configIn({ kernel: kernel('5') })).toBe(5);
  expect(configIn({})).toBe(77);
  useKernel(undefined);
  expect(() => configIn({})).toThrow('no kernel to ask');
});
