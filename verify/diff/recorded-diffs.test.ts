/**
 * What `diff` says of built-in programs with one instruction changed, and of programs that are not alike: classes, what decides
 * them, examples, what is in words, and what is not compared. In the machine alone, recorded as text.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { JA } from '../../sim/ebpf/instruction.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { readElf, STT_FUNC } from '../../sim/ebpf/loader/elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { mutantsOf } from '../mutants/judge-mutants.ts';
import type { Mutation } from '../mutants/mutations.ts';
import type { DecidingPlace, Decision } from './decide.ts';
import { changesOf } from './describe.ts';
import { type DiffOptions, type DiffReport, diff } from './diff.ts';
import type { BuildPair } from './pair.ts';

const engine = createWasmEngine();

/** A built-in program without its model, and its worlds. */
function builtIn(name: string): { program: Program; worlds: readonly NamedWorld[] } {
  const { entries, worlds } = programByName(name)!;
  const [{ after: _, ...entry }] = entries as [(typeof entries)[number]];
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  return { program: { name: entry.function, entries: [entry], object }, worlds };
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

/** The same lines wherever the tree lies. */
const placed = (file: string): string => file.replace(packageFile(''), '');

function placeText(place: DecidingPlace | undefined): string {
  if (place === undefined) return 'nowhere';
  const { as, program, instruction, source } = place;
  return `${as} ${program}+${instruction}${source === undefined ? '' : ` ${placed(source.file)}:${source.line}`}`;
}

function decisionText({ old, new: next, changed }: Decision): string {
  const lines = [...changed.old, ...changed.new].map(({ line }) => line);
  return `${placeText(old)} / ${placeText(next)}${lines.length === 0 ? '' : `, changed ${lines}`}`;
}

function textOf(report: DiffReport): string[] {
  const { pair, packets, swept, classes, isCut, notCompared, coverage, failure, interrupted } = report;
  const hits = (side: DiffReport['coverage']['old']): string =>
    (side?.functions ?? [])
      .map((one) => `${one.function} ${one.instructions.filter((count) => count > 0).length}`)
      .join();
  return [
    `${packets} packets, ${swept} swept${isCut ? ', more classes' : ''}${interrupted ? ', interrupted' : ''}` +
      `${failure === undefined ? '' : `, failed: ${JSON.stringify(failure)}`}; reached ${hits(coverage.old)} / ${hits(coverage.new)}`,
    ...notCompared.map((one) => `not compared: ${JSON.stringify(one)}`),
    ...classes.flatMap((one) => {
      const { finding, case: shown, state } = one;
      return [
        `${finding.field} on packet ${finding.packet}, ${one.packets} packets, ${state}${finding.isDoubtful ? ', doubtful' : ''}`,
        `  ${decisionText(finding.decision)}`,
        ...changesOf(pair, one).map(({ what, old, new: next }) => `  ${what}: ${old} → ${next}`),
        ...shown.stimuli.map(
          ({ packet, entry, ingressIfindex }) =>
            `  ${entry ?? 0} ${ingressIfindex ?? 0} ${Buffer.from(packet!).toString('hex')}`,
        ),
      ];
    }),
  ];
}

async function diffed(
  pair: BuildPair,
  worlds: readonly NamedWorld[],
  more: Partial<DiffOptions> = {},
): Promise<string> {
  const report = await diff({
    ...{ pair, engine, worlds, seed: 'recorded', runs: 400 },
    ...{ guided: false, sweeps: false, maxClasses: 3, shrinkSeconds: 600 },
    ...more,
  });
  return textOf(report).join('\n');
}

/** Mutants of each program, spread evenly over all that it has. */
const MUTANTS = 6;

describe('one changed instruction', () => {
  it.each([
    'icmp_echo',
    'port_filter',
    'proto_count_hash',
    'layer_coop',
    'meta_mark',
    'redirect_map',
    'xdp_trace_drop',
    'account',
    'router',
  ])('%s', async (name) => {
    const { program, worlds } = builtIn(name);
    const all = mutantsOf(program, worlds);
    const sections: string[] = [];
    for (let index = 0; index < MUTANTS; index++) {
      const { slot, before, after, apply } = all[Math.floor(((index + 0.5) * all.length) / MUTANTS)]!;
      const pair = { old: program, new: { ...program, object: written(program, slot, apply) } };
      sections.push(`## ${slot}: ${before} → ${after}\n${await diffed(pair, worlds)}\n`);
    }
    await expect(sections.join('\n')).toMatchFileSnapshot(`recorded/${name}.txt`);
  });
});

describe('programs that are not alike', () => {
  it.each([
    ['proto_count', 'proto_count_hash', {}],
    ['tcp_filter', 'icmp_filter', { maxClasses: 1 }],
    ['icmp_drop', 'icmp_echo', { guided: true, runs: 100 }],
    ['redirect_map', 'xdp_pass', { guided: true, runs: 100 }],
  ])('%s, %s', async (old, next, more) => {
    const { program, worlds } = builtIn(old);
    await expect(
      `${await diffed({ old: program, new: builtIn(next).program }, worlds, more)}\n`,
    ).toMatchFileSnapshot(`recorded/${old}-${next}.txt`);
  });

  it('stops where it is told to, and shrinks nothing in no time', async () => {
    const { program, worlds } = builtIn('icmp_drop');
    const pair = { old: program, new: builtIn('icmp_echo').program };
    const stop = new AbortController();
    const seen: [packets: number, classes: number][] = [];
    const onProgress = (packets: number, classes: number): void => {
      seen.push([packets, classes]);
      stop.abort();
    };
    const more = { runs: 100_000, shrinkSeconds: 0, signal: stop.signal, onProgress };
    await expect(`${await diffed(pair, worlds, more)}\n${seen}\n`).toMatchFileSnapshot(
      'recorded/stopped.txt',
    );
  });
});
