/** Built-in programs as objects by themselves, and such with one instruction changed. */
import { readFileSync } from 'node:fs';
import { packageFile } from '../../kernel/package-file.ts';
import { JA } from '../../sim/ebpf/instruction.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { readElf, STT_FUNC } from '../../sim/ebpf/loader/elf.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { mutantsOf } from '../mutants/judge-mutants.ts';
import type { Mutation } from '../mutants/mutations.ts';

/** The first function of a built-in program without its model, and its worlds. */
export function builtIn(name: string): {
  readonly program: Program;
  readonly worlds: readonly NamedWorld[];
} {
  const { entries, worlds } = programByName(name)!;
  const [{ function: entry, hook }] = entries as [(typeof entries)[number]];
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  return { program: { name: entry, entries: [{ function: entry, hook }], object }, worlds };
}

/** The program with one instruction changed, and what was changed. */
export interface Changed {
  readonly title: string;
  readonly program: Program;
}

/** `count` mutants, spread evenly over all that the program has. */
export function changedPrograms(
  program: Program,
  worlds: readonly NamedWorld[],
  count: number,
): readonly Changed[] {
  const all = mutantsOf(program, worlds);
  return Array.from({ length: count }, (_, index) => {
    const { slot, before, after, apply } = all[Math.floor(((index + 0.5) * all.length) / count)]!;
    const object = written(program, slot, apply);
    return { title: `${slot}: ${before} → ${after}`, program: { ...program, object } };
  });
}

/** The ELF file with one instruction as a mutation has it. */
function written({ name, object }: Program, slot: number, apply: Mutation['apply']): Uint8Array {
  const elf = object!.slice();
  const { instructions } = apply(linkedObject(object!)).programs.find((one) => one.function === name)!;
  const { sections, symbols } = readElf(elf);
  const { section, value } = symbols.find((one) => one.type === STT_FUNC && one.name === name)!;
  const { bytes } = sections[section]!.data;
  const view = new DataView(bytes.buffer, bytes.byteOffset + value + 8 * slot, 8);
  const opcode = instructions.opcode[slot]!;
  view.setUint8(0, opcode);
  view.setInt16(2, instructions.offset[slot]!, true);
  view.setInt32(4, opcode === JA ? 0 : instructions.imm[slot]!, true);
  // The kernel takes a jump that names registers for a mistake.
  if (opcode === JA) view.setUint8(1, 0);
  return elf;
}
