/** Runs one styled program, the way its register's line says. */
import { createEngine } from '../../cli/engines.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { ProgramReport } from '../../verify/report.ts';
import { verify } from '../../verify/run.ts';
import { programOf, type StyledProgram } from './programs.ts';

const ENGINES: readonly EngineName[] = ['wasm', 'testrun'];

export function runStyled(
  styled: StyledProgram,
  form: 'right' | 'faulty',
  seed: string,
  packets: number,
): Promise<ProgramReport> {
  return verify({
    program: programOf(styled, form),
    engines: ENGINES.map(createEngine),
    seed,
    runs: packets,
    source: new PacketGenerator(styled.hints, [styled.hook]),
    ...(styled.worlds === undefined ? {} : { worlds: styled.worlds }),
  });
}
