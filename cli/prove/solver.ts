/** The solver that proofs ask: the package z3-solver, which is the user's to install. */
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { createZ3Solver, type Z3Options } from '../../verify/prove/z3-solver.ts';
import { environmentFailure } from '../failure.ts';

/**
 * @param what needs it: `prove`, `--complete`
 * @throws {Failure} where it is not installed
 */
export async function requireSolver(what: string, options: Z3Options): Promise<Solver> {
  const solver = await createZ3Solver(options);
  if (solver !== undefined) return solver;
  throw environmentFailure(
    `${what} needs the package z3-solver, which is not installed`,
    'Install it: npm install z3-solver',
  );
}
