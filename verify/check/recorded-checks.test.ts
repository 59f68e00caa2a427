/**
 * All that `check` says of faulty programs, with the machine alone: findings with their lines, packets and what else a line breaks,
 * what was reached, swept and not checked, and how each finding is explained. `kernel-tests/check.test.ts` compiles the objects.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OWN_SPECIMENS, worldsOfSpecimen } from '../../kernel-tests/check-specimens/specimens.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { explain } from '../explain/explain.ts';
import { check } from './check.ts';
import type { CheckedProgram, CheckFinding } from './finding.ts';

const machine = createWasmEngine();
const witness = createVmEngine();
const RUN = { engines: ['wasm', 'vm'] as const, seed: 'recorded' };

/** Of which all words are swept: the others' sweeps would show no more. */
const SWEPT: readonly string[] = ['udp6_zero_lost'];

function findingText(finding: CheckFinding, indent: string): string[] {
  const { invariant, severity, source, summary, confirmedBy, divergence, details, also, isWholeLine } =
    finding;
  const shown = divergence?.case;
  return [
    `${indent}${severity} ${invariant} at ${source === undefined ? 'no line' : `${basename(source.file)}:${source.line}`}` +
      `, confirmed by [${confirmedBy}]${isWholeLine ? ', the whole line' : ''}`,
    `${indent}  ${summary}`,
    ...(details ?? []).map((line) => `${indent}  | ${line}`),
    ...(shown?.stimuli ?? []).map(
      ({ packet, entry, ingressIfindex }) =>
        `${indent}  ${entry ?? 0} ${ingressIfindex ?? 0} ${Buffer.from(packet!).toString('hex')}`,
    ),
    ...(shown === undefined ? [] : [`${indent}  in ${Object.keys(shown.world).join() || 'the empty world'}`]),
    ...(also ?? []).flatMap((one) => findingText(one, `${indent}    `)),
  ];
}

function textOf(checked: CheckedProgram): string[] {
  const { name, verdict, reason, findings, report, coverage, unreached, sweeps, notChecked } = checked;
  return [
    `## ${name}: ${verdict}`,
    reason,
    `${report.packets} packets, ${report.compared} compared, judged ${JSON.stringify(report.judged)}`,
    `actions ${JSON.stringify(report.actions)}`,
    ...report.notCompared.map((one) => `not compared: ${JSON.stringify(one)}`),
    ...report.warnings.map((one) => `warning: ${JSON.stringify(one)}`),
    `reached ${JSON.stringify(coverage)}`,
    ...unreached.map((one) => `not reached: ${JSON.stringify(one)}`),
    `swept ${JSON.stringify(sweeps)}`,
    ...notChecked.map((line) => `not checked: ${line}`),
    ...findings.flatMap((one) => findingText(one, '')),
    '',
  ];
}

const SOURCES = [...new Set(OWN_SPECIMENS.map(({ source }) => source))];

describe('what check says of', () => {
  it.each(SOURCES)('%s', async (source) => {
    const file = basename(source);
    const objectAt = (ending: string): Uint8Array =>
      new Uint8Array(readFileSync(new URL(`recorded/${file}${ending}.o`, import.meta.url)));
    const lines: string[] = [];
    const explained: string[] = [];
    for (const specimen of OWN_SPECIMENS) {
      const { name } = specimen;
      if (specimen.source !== source) continue;
      // At TC most are as at XDP.
      const hook = specimen.hooks.includes('xdp') ? 'xdp' : specimen.hooks[0]!;
      const worlds = worldsOfSpecimen(specimen);
      const object = objectAt(hook === 'xdp' ? '' : '-tc');
      const program: Program = { name, entries: [{ function: name, hook }], object };
      const checked = await check({
        ...{ program, machine, witness },
        ...{ seed: 'recorded', runs: 600, effort: 50_000, shrinkSeconds: 600, sweeps: SWEPT.includes(name) },
        ...(worlds === undefined ? {} : { worlds }),
      });
      lines.push(...textOf(checked));
      for (const { divergence } of checked.findings) {
        if (divergence === undefined) continue;
        explained.push(`### ${name}`, ...explain(program, divergence, { run: RUN }), '');
      }
    }
    await expect(lines.join('\n')).toMatchFileSnapshot(`recorded/${file}.txt`);
    await expect(explained.join('\n')).toMatchFileSnapshot(`recorded/${file}-explained.txt`);
  });
});
