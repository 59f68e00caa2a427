/**
 * Whole reports of `verify`, in the machine alone: built-in programs with one instruction changed, against their models, with and
 * without a witness, saved cases and sequences; and faulty programs without a model. Recorded as text, with their explanations.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OWN_SPECIMENS } from '../kernel-tests/check-specimens/specimens.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { programByName } from '../sim/programs/index.ts';
import type { Program } from '../sim/runtime/program.ts';
import { explain } from './explain/explain.ts';
import { guide } from './guide/guide.ts';
import type { ProgramReport } from './report.ts';
import { verify } from './run.ts';
import { builtIn, changedPrograms } from './test-support/changed-object.ts';
import { fingerprint } from './test-support/recorded.ts';

const model = createModelEngine();
const wasm = createWasmEngine();
const vm = createVmEngine();
const SHRINK = { maxSeconds: 600 };

/** Bytes as hexadecimal text, numbers of 64 bits as such. */
const plain = (key: string, value: unknown): unknown => {
  if (key === 'seconds') return undefined;
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Map) return [...value];
  return value instanceof Uint8Array ? toHex(value) : value;
};
/** Longer ones are recorded as fingerprints. */
const LONGEST = 2000;

function text(value: unknown): string {
  const json = JSON.stringify(value, plain) ?? 'nothing';
  return json.length <= LONGEST ? json : fingerprint('run', json.split(/(?<=[}\]]),/));
}

function reportText(program: Program, report: ProgramReport): string[] {
  const { divergences, engines, fullCoverage: _, ...rest } = report;
  return [
    text(rest),
    ...engines.map((engine) => `engine ${text(engine)}`),
    ...divergences.flatMap((one) => {
      const { finding: _finding, witness, ...shown } = one;
      const run = { engines: engines.map(({ name }) => name), seed: 'recorded' };
      return [text(shown), `witness ${text(witness)}`, ...explain(program, one, { run })];
    }),
    '',
  ];
}

describe('one changed instruction, against the model', () => {
  it.each([
    'icmp_echo',
    'router',
    'port_filter',
    'layer_coop',
    'redirect_map',
    'meta_mark',
    'proto_count',
    'xdp_trace_drop',
  ])('of %s', async (name) => {
    const definition = programByName(name)!;
    const { program, worlds } = builtIn(name);
    const lines: string[] = [];
    for (const [index, { title, program: changed }] of changedPrograms(program, worlds, 3).entries()) {
      const tested = { name, entries: definition.entries, object: changed.object!, definition };
      const report = await verify({
        program: tested,
        // The interpreter takes part, or is asked as a witness.
        engines: index === 0 ? [model, wasm, vm] : [model, wasm],
        ...(index === 0 ? {} : { witness: vm }),
        ...{ seed: 'recorded', runs: 1500, maxDivergences: index + 1, shrink: index === 2 ? false : SHRINK },
      });
      lines.push(`## ${title}`, ...reportText(tested, report));
    }
    await expect(lines.join('\n')).toMatchFileSnapshot(`recorded/run-${name}.txt`);
  });
});

describe('faulty programs without a model', () => {
  it.each(['answers', 'redirects', 'garbage', 'tunnels', 'answers-tc', 'protocols-tc'])(
    '%s',
    async (file) => {
      const source = file.replace('-tc', '');
      const hook = source === file ? 'xdp' : 'tc-ingress';
      const object = new Uint8Array(readFileSync(new URL(`check/recorded/${file}.o`, import.meta.url)));
      const lines: string[] = [];
      for (const { name, source: own, hooks } of OWN_SPECIMENS) {
        if (basename(own) !== source || !hooks.includes(hook)) continue;
        const program: Program = { name, entries: [{ function: name, hook }], object };
        const guidance = guide(program, { seed: 'recorded', effort: 20_000 });
        const report = await verify({
          ...{ program, engines: [wasm, vm], guidance, seed: 'recorded', runs: 500, shrink: SHRINK },
        });
        lines.push(`## ${name}`, ...reportText(program, report));
      }
      await expect(lines.join('\n')).toMatchFileSnapshot(`recorded/run-${file}.txt`);
    },
  );
});
