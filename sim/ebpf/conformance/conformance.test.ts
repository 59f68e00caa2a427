/**
 * Single instructions, as data: each file here is a program, the memory that it gets, and what must be in r0 at its
 * end, or why the machine stops it. The format is that of bpf_conformance, with the notation of the verifier's log.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeInstructions, type Instructions, LDDW } from '../instruction.ts';
import { formAt, formsOf, type InstructionForm } from '../instruction-table.ts';
import { interpretBytecode } from '../interpreter/bytecode.ts';
import { assemble } from '../test-support/assemble.ts';
import { runBytecode } from '../wasm/bytecode.ts';

interface Case {
  readonly name: string;
  /** What is shown, as a sentence. */
  readonly about: string;
  readonly instructions: Instructions;
  readonly memory: Uint8Array;
  /** r0, or what the reason for stopping says. */
  readonly expected: bigint | string;
}

function readCase(path: string): Case {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  let about = '';
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const name = /^-- (\w+)$/.exec(line)?.[1];
    if (name !== undefined) {
      current = [];
      sections.set(name, current);
    } else if (line.startsWith('#')) about = line.slice(2);
    else current.push(line);
  }
  const text = (name: string): string => (sections.get(name) ?? []).join('\n');
  const raw = sections.get('raw');
  const result = sections.get('result');
  return {
    name: basename(path, '.data'),
    about,
    instructions: raw === undefined ? assemble(text('asm')) : fromWords(raw),
    memory: Uint8Array.from(text('mem').match(/[0-9a-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16)),
    expected: result === undefined ? text('error') : BigInt(result[0]!),
  };
}

/** One 64-bit number a slot, in the machine's order. */
function fromWords(words: readonly string[]): Instructions {
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [slot, word] of words.entries()) view.setBigUint64(slot * 8, BigInt(word), true);
  return decodeInstructions(bytes);
}

const cases = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.data'))
  .sort()
  .map((name) => readCase(join(import.meta.dirname, name)));

describe('the interpreter', () => {
  for (const { name, about, instructions, memory, expected } of cases) {
    it(`${name}: ${about}`, () => {
      const result = interpretBytecode(instructions, memory);
      if (typeof expected === 'bigint')
        expect('r0' in result ? result.r0 : result.stop.reason).toBe(expected);
      else expect('stop' in result ? result.stop.reason : result.r0).toContain(expected);
    });
  }
});

describe('compiled programs', () => {
  // What the interpreter stops before it is wrong, the compiler runs: it checks bounds only.
  for (const { name, about, instructions, memory, expected } of cases) {
    if (typeof expected !== 'bigint') continue;
    it(`${name}: ${about}`, () => {
      const interpreted = interpretBytecode(instructions, memory);
      expect(runBytecode(instructions, memory)).toEqual(interpreted);
      expect(interpreted).toMatchObject({ r0: expected });
    });
  }
});

describe('the cases', () => {
  it('have every form of every instruction that needs no map, no kernel function and no packet', () => {
    const shown = new Set<InstructionForm>();
    for (const { instructions } of cases) {
      for (let slot = 0; slot < instructions.count; slot++) {
        const form = formAt(instructions, slot);
        if (form !== undefined) shown.add(form);
        if (instructions.opcode[slot] === LDDW) slot++;
      }
    }
    const missing = Array.from({ length: 256 }, (_, opcode) =>
      formsOf(opcode).filter((form) => !shown.has(form)),
    );
    const names = missing
      .flat()
      .map(({ opcode, src, offset, imm }) => JSON.stringify({ opcode, src, offset, imm }));
    expect(names.filter((name) => !ELSEWHERE.test(name))).toEqual([]);
  });
});

/** Maps and kernel functions by LDDW and CALL, and BPF_ABS and BPF_IND, have tests of their own. */
const ELSEWHERE = /^\{"opcode":(24|133|32|40|48|64|72|80),/;
