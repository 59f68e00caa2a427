/**
 * What is read off objects before anything runs: what they hold, their types, what is proven of their programs, what they are
 * compiled to. Recorded as text where that can be reviewed, and as fingerprints of what is too much to read. What is proven
 * decides how fast programs run and what is called impossible; a change of it is no fault by itself, and should be seen to.
 * `npx vitest run sim/ebpf/recorded-objects.test.ts -u` writes it anew.
 */
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../verify/test-support/recorded.ts';
import { analyse } from './analysis/analysis.ts';
import { doubtfulSums } from './analysis/doubtful-sums.ts';
import { frozenData } from './analysis/frozen-data.ts';
import { reachOf } from './analysis/reach.ts';
import type { BpfMap, BpfObject, BpfProgram } from './bpf-object.ts';
import type { Btf } from './btf.ts';
import { encodeValue } from './btf-encode.ts';
import { typeText } from './btf-type-text.ts';
import { formatValue, toJson } from './btf-value.ts';
import { calledHelpers } from './called-helpers.ts';
import { checkProgram } from './check-program.ts';
import { programLayout } from './context/program-layout.ts';
import { dictionaryOf } from './dictionary/dictionary.ts';
import { disassemble } from './disassemble.ts';
import { helperAt } from './helpers/helper-at.ts';
import type { KernelVersion } from './kernel-versions.ts';
import { DEFAULT_BUDGET, MAX_LOOPS } from './limits.ts';
import { Machine } from './machine.ts';
import { needsOf, tailCallersOf } from './referenced-maps.ts';
import { deepestStack } from './stack-depth.ts';
import { testObject } from './test-support/assemble.ts';
import { everyObject, textOf } from './test-support/every-object.ts';
import { onPacketBytes, RANDOM_MAPS, randomProgram } from './test-support/random-program.ts';
import { compileModule } from './wasm/compile-module.ts';
import { initialWorldFile } from './world-file/init.ts';

const KERNELS: readonly KernelVersion[] = ['5.4', '5.15', '6.1', '6.12', '6.18'];

const RANDOM_PROGRAMS = 40;

/** What a call gives, or the message of what it throws. */
function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    return `throws ${(error as Error).message}`;
  }
}

function mapLines(map: BpfMap, btf: Btf | undefined): string[] {
  const { name, type, keySize, valueSize, maxEntries, mapFlags, mapExtra, pinning, global, inner } = map;
  const typed = (id: number | undefined): string =>
    btf === undefined || id === undefined ? 'untyped' : typeText(btf, id);
  return [
    `map ${name}: ${type}, ${maxEntries} of ${keySize} (${typed(map.keyType)}) to ${valueSize} (${typed(map.valueType)}), ` +
      `flags ${mapFlags}, extra ${mapExtra}, pinned ${pinning}${map.initial.length > 0 ? `, ${textOf(map.initial)}` : ''}`,
    ...(inner === undefined ? [] : mapLines(inner, btf).map((line) => `  inner ${line}`)),
    ...[...(global?.variables ?? [])].map(
      ([variable, { offset, size, typeId }]) =>
        `  ${variable} at ${offset}, ${size} bytes, ${typed(typeId)}, ${textOf(global!.bytes.subarray(offset, offset + size))}`,
    ),
  ];
}

/** Every type as text, and values of it, there and back. */
function typeLines(btf: Btf): string[] {
  const lines: string[] = [];
  const patterns = [0, 0xff, 0x41].map((fill) =>
    Uint8Array.from({ length: 4096 }, (_, at) => (fill === 0x41 ? (at * 73 + fill) & 0xff : fill)),
  );
  for (let id = 1; id < btf.count; id++) {
    lines.push(`${id} ${btf.kindName(id)} ${btf.name(id)} ${outcome(() => typeText(btf, id))}`);
    const size = outcome(() => btf.sizeOf(id));
    if (typeof size === 'string' || size > 4096) continue;
    for (const pattern of patterns) {
      const bytes = pattern.subarray(0, size);
      const json = outcome(() => toJson(btf, id, bytes));
      lines.push(
        textOf(outcome(() => formatValue(btf, id, bytes))),
        textOf(json),
        textOf(outcome(() => encodeValue({ btf, typeId: id, size }, json, 'value'))),
      );
    }
  }
  return lines;
}

function programLines(object: BpfObject, program: BpfProgram, index: number): string[] {
  const { function: name, section, hook, instructions, subprograms, lineInfo, poisoned, missing } = program;
  const { behindRedirect, frags, otherType } = program;
  const lines = [
    `program ${name} in ${section}: ${textOf({ hook, behindRedirect, frags, otherType })}, ${instructions.count} slots`,
    `  functions ${textOf(subprograms)}`,
    `  stack ${textOf(deepestStack(program))}, needs ${textOf(needsOf(object, [index]))}`,
    `  poisoned ${textOf(poisoned)}, missing ${textOf(missing)}`,
    `  code: ${fingerprint(`${name} code`, disassemble(object, program).split('\n'))}, ` +
      `lines: ${fingerprint(`${name} lines`, lineInfo.map(textOf))}`,
  ];
  if (hook === undefined) return lines;
  for (const kernel of KERNELS) {
    const answer = outcome(() => checkProgram(object, program, hook, {}, kernel));
    lines.push(`  ${kernel}: ${answer ?? 'loads'}`);
  }
  return lines;
}

function factLines(object: BpfObject, program: BpfProgram): string[] {
  const hook = program.hook === 'xdp' ? 'xdp' : 'tc';
  const machine = new Machine(object, {});
  const layout = programLayout(hook, program);
  const facts = analyse({
    program,
    maps: object.maps,
    layout,
    helperAt: (slot) => helperAt(object, program, slot),
    enteredWith: 'context',
    frozen: frozenData(machine),
  });
  return [
    ...[...facts.accesses].map((each) => `access ${textOf(each)}`),
    ...[...facts.calls].map(
      ([slot, state]) => `call ${slot} ${textOf(state)} ${textOf(state.cells)} ${textOf(state.ranges)}`,
    ),
    `unset ${textOf(facts.unset)}`,
    `ways ${textOf(facts.ways)}`,
    `unwritten ${textOf(facts.readsUnwritten)}`,
    `doubtful ${textOf(facts.doubtful)}`,
    `reached ${textOf(facts.reached)}`,
    `sums ${textOf(doubtfulSums(object, program, layout))}`,
    `reach ${textOf(reachOf(machine, program, hook))}`,
  ];
}

/** The module as WebAssembly: its size, what is in line, and its code. */
function moduleLine(object: BpfObject): string {
  const machine = outcome(() => new Machine(object, {}));
  if (typeof machine === 'string') return machine;
  const entries = object.programs.flatMap(({ hook }, program) =>
    hook === undefined ? [] : [{ hook, program }],
  );
  const wanted = new Set(entries.map(({ program }) => program));
  const common = { machine, entries, wanted, budget: DEFAULT_BUDGET, mayGoto: MAX_LOOPS };
  const module = outcome(() => compileModule(common));
  if (typeof module === 'string') return module;
  const careful = compileModule({ ...common, distrustful: true, withoutTwins: true });
  const digest = fingerprint('module', [textOf(module.bytes), textOf(careful.bytes)]);
  return `${module.bytes.length} bytes, ${careful.bytes.length} with all checks, in line ${textOf(module.inlined)}: ${digest}`;
}

function report(name: string, object: BpfObject): string {
  const { programs, maps, btf } = object;
  const hooked = programs.filter(({ hook }) => hook !== undefined);
  const options = { name, schema: 'schema.json' };
  return [
    `license ${object.license}, version ${object.kernelVersion}`,
    `kernel functions ${object.kfuncs.join()}, variables ${textOf(object.variables)}`,
    `helpers ${[...calledHelpers(object)].map((one) => one.name).join()}`,
    `tail calls ${textOf(tailCallersOf(object))}`,
    ...maps.flatMap((map) => mapLines(map, btf)),
    ...programs.flatMap((program, index) => programLines(object, program, index)),
    `facts: ${fingerprint(
      `${name} facts`,
      hooked.flatMap((program) => factLines(object, program)),
    )}`,
    `types: ${btf === undefined ? 'none' : fingerprint(`${name} types`, typeLines(btf))}`,
    `dictionary: ${fingerprint(`${name} dictionary`, dictionaryOf(object).map(textOf))}`,
    `world file: ${fingerprint(
      `${name} world`,
      [false, true].flatMap((plain) => initialWorldFile(object, { ...options, plain }).split('\n')),
    )}`,
    `module: ${moduleLine(object)}`,
    '',
  ].join('\n');
}

describe('what is read off objects', () => {
  it.each(everyObject())(
    '$name',
    async ({ name, object }) => {
      await expect(report(name, object)).toMatchFileSnapshot(`recorded/${name}.txt`);
    },
    120_000,
  );

  it('random programs, by seed', async () => {
    const lines = Array.from({ length: RANDOM_PROGRAMS }, (_, seed) => {
      // Numbers that vary, from packets, are another matter than constants.
      const { text } = randomProgram(seed);
      const object = testObject({ main: seed % 2 === 0 ? text : onPacketBytes(text) }, RANDOM_MAPS);
      const facts = fingerprint(`random ${seed} facts`, factLines(object, object.programs[0]!));
      return `${seed}: facts ${facts}, module ${moduleLine(object)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/random-programs.txt');
  });
});
