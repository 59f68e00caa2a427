/** Proofs in the service of other commands: packets for a program's paths, and what no packet reaches. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type ProofAid, proofAid } from '../../verify/prove/aid.ts';
import { PROVED_CASE } from '../../verify/prove/proved-case.ts';
import { workClock } from '../../verify/prove/work-clock.ts';
import { createZ3Solver, endZ3 } from '../../verify/prove/z3-solver.ts';
import { count, type Terminal } from '../terminal.ts';
import { interruptible } from './interruptible.ts';
import { requireSolver } from './solver.ts';

/** Milliseconds for one question. */
const SOLVER_TIMEOUT = 5000;
/** Seconds for one program. */
const DEFAULT_SECONDS = 20;

export interface FollowOptions {
  readonly terminal?: Terminal;
  /** For this program, its last question included; default: as many as for every other, and the last one takes what it takes. */
  readonly seconds?: number;
  /**
   * Are these seconds that this process gets to work in? Then what is found out hangs far less on what else the machine does, and waiting
   * for it may take longer. Default: as the clock has them.
   */
  readonly ofWork?: boolean;
}

export interface Proofs {
  /** @throws {EngineError} where the machine cannot run the program */
  follow(program: Program, options?: FollowOptions): Promise<ProofAid>;
  /** Undefined for a program that the machine cannot run: whoever runs it says why. */
  aid(program: Program, options?: FollowOptions): Promise<ProofAid | undefined>;
  end(): Promise<void>;
}

/**
 * @param what needs the solver: `--prove`
 * @param seconds for one program; true: as many as usual
 * @throws {Failure} where there is no solver
 */
export async function startProofs(
  what: string,
  seconds: number | true,
  signal: AbortSignal,
): Promise<Proofs> {
  const solver = await requireSolver(what, { timeout: SOLVER_TIMEOUT });
  return proofsBy(solver, seconds === true ? DEFAULT_SECONDS : seconds, signal);
}

/** @returns undefined where there is no solver */
export async function proofsIfPossible(seconds: number, signal: AbortSignal): Promise<Proofs | undefined> {
  const solver = await createZ3Solver({ timeout: SOLVER_TIMEOUT });
  return solver === undefined ? undefined : proofsBy(solver, seconds, signal);
}

function proofsBy(z3: Solver, usual: number, signal: AbortSignal): Proofs {
  const solver = interruptible(z3, signal);
  const follow: Proofs['follow'] = async (program, { terminal, seconds, ofWork = false } = {}) => {
    const started = performance.now();
    try {
      const aid = await proofAid(program, {
        solver,
        ...(ofWork ? { now: workClock() } : {}),
        time: (seconds ?? usual) * 1000,
        stopped: () => signal.aborted,
        onProgress: ({ paths, waiting }) =>
          terminal?.progress(
            () => `${program.name}: ${count(paths)} paths followed, ${count(waiting)} waiting`,
          ),
      });
      return { ...aid, seconds: (performance.now() - started) / 1000 };
    } finally {
      terminal?.clearProgress();
    }
  };
  return {
    follow,
    async aid(program, options) {
      if (program.object === undefined || signal.aborted) return undefined;
      try {
        return await follow(program, options);
      } catch (error) {
        if (error instanceof EngineError) return undefined;
        throw error;
      }
    },
    end: endZ3,
  };
}

/** Named as what they are, not as files. */
export function casesOfAid(aid: ProofAid | undefined): SavedCase[] {
  return (aid?.cases ?? []).map((one, index) => ({
    path: `${PROVED_CASE}${index + 1}: ${one.note?.kept?.[0] ?? ''}`,
    case: one,
  }));
}
