/**
 * Somebody else's programs: right ones in the styles of public projects give no report in machine and kernel, whatever
 * clocks, chance and hashes they use. The suite goes over a few thousand packets, `npm run styles` over 200,000 with
 * five seeds.
 */
import { describe, expect, it } from 'vitest';
import { loadObject } from '../sim/ebpf/object.ts';
import { programOf, STYLED_PROGRAMS } from './styles/programs.ts';
import { runStyled } from './styles/run-styled.ts';
import { part } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = Number(process.env.XDPSIM_STYLES_PACKETS ?? 4096);
const SEEDS = (process.env.XDPSIM_STYLES_SEEDS ?? 'styles').split(',');
const TIMEOUT = 600_000 + PACKETS * SEEDS.length;

describeKernel('right programs of many styles', ['compiler', 'testrun'], () => {
  for (const styled of part(STYLED_PROGRAMS, 4, 2)) {
    it(`${styled.style}: ${styled.name} gives no report`, { timeout: TIMEOUT }, async () => {
      for (const seed of SEEDS) {
        const report = await runStyled(styled, 'right', seed, PACKETS);
        expect(report.divergences.map(({ summary, seen }) => ({ summary, seen }))).toEqual([]);
        expect(report.defects).toEqual([]);
        for (const { name, status, reason, packets } of report.engines) {
          expect({ name, status, reason }).toEqual({ name, status: 'ran', reason: undefined });
          expect(packets, name).toBeGreaterThan(PACKETS / 4);
        }
      }
    });
  }
});

describe('the styles', () => {
  it('are at least sixty programs, of a name each', () => {
    expect(STYLED_PROGRAMS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(STYLED_PROGRAMS.map(({ name }) => name)).size).toBe(STYLED_PROGRAMS.length);
  });
});

describeKernel('the register of styles', ['compiler'], () => {
  for (const style of new Set(STYLED_PROGRAMS.map((styled) => styled.style))) {
    it(`names every program of ${style}`, () => {
      const registered = STYLED_PROGRAMS.filter((styled) => styled.style === style);
      const { programs } = loadObject(programOf(registered[0]!, 'right').object!);
      expect(registered.map(({ name }) => name).sort()).toEqual(programs.map((one) => one.function).sort());
    });
  }
});
