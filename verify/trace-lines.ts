/**
 * Whose trace lines are held against whose. A definition says so by `traces`; where it says nothing, a model that prints
 * lines means them, and one that prints none leaves what the program prints to whoever debugs it.
 */
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { isKernel, isModel } from '../sim/engines/register.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import type { NotCompared } from './not-compared.ts';

/** What reports call lines that nobody compared though an engine printed them. */
export const UNNAMED_LINES = 'trace lines, without “traces: true” in the definition';

/** Are lines part of the outcome, whatever the model does? */
export function tracesCount({ definition }: Pick<Program, 'definition'>): boolean {
  return definition === undefined || definition.traces === true;
}

/** The same of a case in which the model printed these lines. */
export function linesCount(
  program: Pick<Program, 'definition'>,
  { trace }: Pick<OutcomeBatch, 'trace'>,
): boolean {
  return tracesCount(program) || (program.definition?.traces === undefined && trace.size > 0);
}

/**
 * Are the lines of two engines compared on this case?
 * @param reports of all engines on the case
 */
export function comparesLines(
  program: Pick<Program, 'definition'>,
  pair: readonly [BatchReport, BatchReport],
  reports: readonly BatchReport[],
): boolean {
  if (tracesCount(program)) return true;
  // Reading the kernel's lines takes time: it is done where the definition says that there are some.
  if (pair.some(({ engine }) => isKernel(engine.name))) return false;
  const model = reports.find(({ engine }) => isModel(engine.name));
  return model !== undefined && linesCount(program, model.output);
}

/** Lines of a case that nobody compared, and of which the definition says nothing. */
export function linesNotCompared(
  program: Pick<Program, 'definition'>,
  reports: readonly BatchReport[],
): NotCompared[] {
  if (tracesCount(program) || program.definition?.traces === false) return [];
  const printed = reports.filter(({ output }) => output.trace.size > 0);
  if (printed.length === 0) return [];
  if (printed.some(({ engine }) => isModel(engine.name))) return blindTo(reports);
  return printed.map(({ engine, output }) => ({
    what: UNNAMED_LINES,
    engine: engine.name,
    packets: output.trace.size,
  }));
}

/** Engines that could have shown the model's lines, and were not asked, or cannot. */
function blindTo(reports: readonly BatchReport[]): NotCompared[] {
  return reports
    .filter(({ engine }) => isKernel(engine.name))
    .map(({ engine }) => ({
      what: engine.observes.trace ? UNNAMED_LINES : 'trace lines',
      engine: engine.name,
    }));
}
