/**
 * The oracle finds every defect of these programs, names its cause and its line, on a whole packet; and it is silent
 * on the same programs without the defect.
 *
 * A campaign goes further than a suite should:
 *
 *     XDPSIM_SPECIMEN_PACKETS=200000 XDPSIM_SPECIMEN_SEEDS=1,2,3,4,5 npx vitest run kernel-tests/checksum-specimens.test.ts
 */
import { describe, expect, it } from 'vitest';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { faults } from '../corpus/simplify/well-formed.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { checksumOfField } from '../verify/differing-field.ts';
import { diagnoseChecksum } from '../verify/explain/diagnose.ts';
import { explain } from '../verify/explain/explain.ts';
import { type ProgramReport, reportToJson } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import {
  buildChecksumSpecimen,
  CHECKSUM_SPECIMENS,
  type ChecksumSpecimen,
  SPECIMEN_HOOKS,
} from './checksum-specimens/specimens.ts';
import { amount, isThorough } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = Number(process.env.XDPSIM_SPECIMEN_PACKETS ?? amount(4_000, 100_000));
const SEEDS = (process.env.XDPSIM_SPECIMEN_SEEDS ?? 'specimen').split(',');

function judged(
  specimen: ChecksumSpecimen,
  hook: Hook,
  faulty: boolean,
  seed: string,
): Promise<ProgramReport> {
  return verify({
    program: buildChecksumSpecimen(specimen, hook, faulty),
    engines: [createWasmEngine()],
    seed,
    runs: faulty ? Math.max(PACKETS, 200_000) : PACKETS,
    source: new PacketGenerator(specimen.hints, [hook]),
  });
}

/** Milliseconds, for campaigns. */
const OPTIONS = { timeout: 600_000 + PACKETS * SEEDS.length };

for (const [place, hook] of SPECIMEN_HOOKS.entries()) {
  const ofHook = CHECKSUM_SPECIMENS.filter(({ hooks }) => hooks === undefined || hooks.includes(hook));
  // In `npm test` every other specimen is tried, at one hook. Proofs of all of them are recorded.
  const specimens = ofHook.filter(
    (one) => isThorough || CHECKSUM_SPECIMENS.indexOf(one) % (2 * SPECIMEN_HOOKS.length) === place,
  );

  describeKernel(`right programs at ${hook}`, ['compiler'], () => {
    for (const specimen of specimens) {
      it(`${specimen.name} is not blamed`, OPTIONS, async () => {
        for (const seed of SEEDS) {
          const report = await judged(specimen, hook, false, seed);
          expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
          expect(report.warnings).toEqual([]);
          const [hit, total] = report.coverage!.instructions;
          expect(hit / total, 'share of instructions that ran').toBeGreaterThan(0.8);
        }
      });
    }
  });

  describeKernel(`faulty programs at ${hook}`, ['compiler'], () => {
    for (const specimen of specimens) {
      it(`${specimen.name} is found, with its cause`, OPTIONS, async () => {
        for (const seed of SEEDS) {
          const [divergence] = (await judged(specimen, hook, true, seed)).divergences;
          expect(divergence, `seed ${seed}`).toBeDefined();
          const { field, finding, case: shown } = divergence!;
          expect(field).toBe(specimen.field);
          expect(shown.stimuli).toHaveLength(1);
          const came = shown.stimuli[0]!.packet;
          const cause = causeOf(field, came, finding.got!.packet, finding.others);
          expect(cause?.id, cause?.sentence).toBe(specimen.cause);
          if (cause !== undefined) expect(divergence!.summary).toContain(cause.sentence);
          expect(finding.source?.file).toContain(`${specimen.name}.bpf.c`);
          expect(finding.source?.text).toContain(specimen.line);
          // Only a fragment shows what is done to fragments.
          expect(faults(came), Buffer.from(came).toString('hex')).toBe(
            specimen.cause === 'later fragment' ? 1 : 0,
          );
        }
      });
    }
  });
}

function causeOf(
  field: string,
  came: Uint8Array,
  left: Uint8Array,
  others: Parameters<typeof diagnoseChecksum>[4],
): ReturnType<typeof diagnoseChecksum> {
  const checksum = checksumOfField(field);
  return checksum && diagnoseChecksum(came, left, checksum.layer, checksum.depth, others);
}

describeKernel('what a report says of a specimen', ['compiler'], () => {
  const specimen = CHECKSUM_SPECIMENS.find(({ name }) => name === 'carry_lost')!;

  it('names the line and the defect in JSON and in text', OPTIONS, async () => {
    const report = await judged(specimen, 'xdp', true, 'text');
    const { divergences } = reportToJson(report) as { divergences: unknown[] };
    expect(divergences).toMatchObject([
      {
        field: 'ipv4.checksum',
        invariant: 'checksum/carry-lost',
        source: { file: expect.stringContaining('carry_lost.bpf.c'), line: 19 },
      },
    ]);
    const text = explain(buildChecksumSpecimen(specimen, 'xdp', true), report.divergences[0]!).join('\n');
    expect(text).toMatch(/Changed last by:\n {2}.*carry_lost\.bpf\.c:19: ip->check = check;/);
    expect(text).toMatch(/the difference was added without the end-around carry \(so in all \d+ packets\)/);
  });
});

describe('the list of specimens', () => {
  it('has every name once', () => {
    const names = CHECKSUM_SPECIMENS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
