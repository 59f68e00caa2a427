import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../sim/ebpf/bpf-object.ts';
import { Interpreter } from '../sim/ebpf/interpreter/interpreter.ts';
import { runTraced } from '../sim/ebpf/interpreter/trace.ts';
import { Machine } from '../sim/ebpf/machine.ts';
import { testMap, testObject } from '../sim/ebpf/test-support/assemble.ts';
import { traceText } from './trace-text.ts';

/** The trace of a program, given as text, on one packet of 64 bytes, each its own offset. */
function traced(text: string, maps: readonly BpfMap[] = [], stepLimit?: number): string[] {
  const object = testObject({ main: text }, maps);
  const machine = new Machine(object, {});
  const packet = Uint8Array.from({ length: 64 }, (_, index) => index);
  machine.begin('xdp', packet, 0, packet.length, 0, 1, 0);
  return [...traceText(runTraced(new Interpreter(machine), 0, stepLimit), object)];
}

/** Without instructions: what changed. */
const changes = (lines: readonly string[]): string[] =>
  lines.filter((line) => /^ *\d+: /.test(line)).map((line) => line.slice(44).trim());

describe('traceText', () => {
  it('shows each instruction with its slot, and what it changed', () => {
    const lines = traced(`
      r2 = *(u32 *)(r1 + 0)
      r3 = *(u32 *)(r1 + 4)
      r4 = r2
      r4 += 14
      if r4 > r3 goto out
      r0 = *(u8 *)(r2 + 13)
      *(u16 *)(r10 - 2) = r0
      out:
      r0 = -22
      exit
    `);
    expect(lines[0]).toBe('main:');
    expect(lines[1]).toMatch(/^ {4}0: r2 = \*\(u32 \*\)\(r1 \+0\) +r2=data\+0$/);
    expect(changes(lines)).toEqual([
      'r2=data+0',
      'r3=data_end',
      'r4=data+0',
      'r4=data+14',
      '',
      'r0=13',
      'fp-2: 0d00',
      'r0=-22',
      '',
    ]);
  });

  it('names the arguments of calls by what they point to, and what comes back', () => {
    const lines = traced(
      `
      *(u32 *)(r10 - 4) = 2
      r2 = r10
      r2 += -4
      r1 = map[counts]
      call bpf_map_lookup_elem
      r1 = map[seen]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      r0 = 0x123456789a ll
      exit
    `,
      [testMap('counts', 'ARRAY'), testMap('seen', 'HASH')],
    );
    expect(changes(lines.filter((line) => line.includes('call ')))).toEqual([
      'bpf_map_lookup_elem(counts, fp-4) = counts[2]+0',
      'bpf_map_lookup_elem(seen, fp-4) = null',
    ]);
    expect(lines.at(-2)).toMatch(/r0=0x123456789a$/);
  });

  it('calls the context by its name where nothing has moved it', () => {
    const lines = traced('r2 = 4\ncall bpf_xdp_adjust_head\nr0 = 2\nexit');
    expect(lines.find((line) => line.includes('call '))).toMatch(/bpf_xdp_adjust_head\(ctx, 4\) = 0$/);
  });

  it('indents what runs in a called function, under its name', () => {
    const lines = traced('r1 = 7\ncall function\nexit\nfunction:\nr0 = r1\nexit');
    expect(lines.filter((line) => line.endsWith(':'))).toEqual(['main:', '  main_1:']);
    expect(lines.find((line) => line.includes('r0 = r1'))).toMatch(/^ {6}3: r0 = r1 +r0=7$/);
  });

  it('says so where there were more steps than it has', () => {
    const lines = traced('r0 = 0\nagain:\nr0 += 1\nif r0 < 50 goto again\nexit', [], 10);
    expect(lines.at(-1)).toBe('… and more steps than the 10 shown');
  });
});
