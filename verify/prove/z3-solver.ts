/**
 * The solver z3 (npm package `z3-solver`, an optional peer) behind the interface that symbolic readers ask.
 *
 * Terms are translated once per context through z3's C interface. A context keeps all that was ever made in it, so it is
 * replaced now and then.
 */
import type { Z3_ast, Z3_context, Z3_solver } from 'z3-solver';
import type { Solver, SolverAnswer } from '../../sim/ebpf/symbolic/solver.ts';
import { isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';

type LowLevel = Awaited<ReturnType<typeof import('z3-solver')['init']>>['Z3'];

export interface Z3Options {
  /** Milliseconds for one question. */
  readonly timeout?: number;
  /**
   * Steps of the solver's own count for one question: the same on every machine, loaded or not, as long as `timeout` leaves
   * enough time for them. Default: as many as the time allows.
   */
  readonly steps?: number;
  /** z3's general solver in place of the one for bit vectors, with another seed: for a second opinion. */
  readonly second?: boolean;
}

const DEFAULT_TIMEOUT = 10_000;
/** Questions to one context. */
const CONTEXT_QUESTIONS = 400;
/** Milliseconds after which the solver is given up, besides a multiple of what it was given. */
const PATIENCE = 20_000;
const PATIENCE_FACTOR = 3;
const LOST: SolverAnswer = { status: 'unknown', reason: 'the solver did not end when its time was up' };
const SATISFIABLE = 1;
const UNSATISFIABLE = -1;
const UNKNOWN = 0;
/**
 * Steps of the solver's own count in which most questions are answered. Only after these a clock is set: to stop one takes
 * longer than most answers do (in WebAssembly, by waiting for its thread).
 */
const QUICK_STEPS = 100_000;

/** What the package starts, once in a process: its threads live until `endZ3`. */
interface Started {
  readonly Z3: LowLevel;
  readonly em: { readonly PThread: Threads };
}

/** What the package's runtime has of its threads. */
interface Threads {
  readonly runningWorkers: readonly SolverWorker[];
  readonly unusedWorkers: readonly SolverWorker[];
  terminateAllThreads(): void;
}

interface SolverWorker {
  onmessage: (event: unknown) => void;
}

let started: Promise<Started> | undefined;

/** @returns undefined where the package is not installed */
export async function createZ3Solver(options: Z3Options = {}): Promise<Solver | undefined> {
  started ??= startZ3();
  try {
    return new Z3Solver((await started).Z3, options);
  } catch (error) {
    started = undefined;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function startZ3(): Promise<Started> {
  const { init } = await import('z3-solver');
  return (await init()) as Started;
}

/** Ends the solver's threads, which would keep the process alive. Solvers that were made answer no more. */
export async function endZ3(): Promise<void> {
  if (started === undefined) return;
  const { em } = await started;
  started = undefined;
  endThreads(em.PThread);
}

/**
 * What a thread has said before it ended may still arrive: one that kept the time for a question tells of its end late. The
 * package would complain of that on standard error.
 */
export function endThreads(threads: Threads): void {
  const workers = [...threads.runningWorkers, ...threads.unusedWorkers];
  threads.terminateAllThreads();
  for (const worker of workers) worker.onmessage = () => {};
}

class Z3Solver implements Solver {
  readonly #z3: LowLevel;
  readonly #options: Z3Options;
  #context: Context | undefined;
  #questions = 0;
  /** It takes one question at a time, and did not end this one. */
  #isLost = false;

  constructor(z3: LowLevel, options: Z3Options) {
    this.#z3 = z3;
    this.#options = options;
  }

  async check(conditions: readonly Term[], most?: number): Promise<SolverAnswer> {
    if (this.#isLost) return LOST;
    if (this.#context === undefined || ++this.#questions > CONTEXT_QUESTIONS) {
      this.#context?.end();
      this.#context = new Context(this.#z3);
      this.#questions = 0;
    }
    const { timeout = DEFAULT_TIMEOUT, second = false, steps = 0 } = this.#options;
    const milliseconds = Math.max(1, Math.ceil(Math.min(timeout, most ?? timeout)));
    return this.#orLost(this.#context.check(conditions, { milliseconds, steps, second }), milliseconds);
  }

  /** The solver ends its questions itself; whoever waits for one that it forgets would wait for ever. */
  async #orLost(answer: Promise<SolverAnswer>, milliseconds: number): Promise<SolverAnswer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<SolverAnswer>((resolve) => {
      const giveUp = (): void => {
        this.#isLost = true;
        resolve(LOST);
      };
      timer = setTimeout(giveUp, PATIENCE_FACTOR * milliseconds + PATIENCE);
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** For one question. */
interface Bounds {
  readonly milliseconds: number;
  /** 0: any number. */
  readonly steps: number;
  readonly second: boolean;
}

class Context {
  readonly #z3: LowLevel;
  readonly #context: Z3_context;
  readonly #vectors = new Map<Term, Z3_ast>();
  readonly #conditions = new Map<Term, Z3_ast>();

  constructor(z3: LowLevel) {
    this.#z3 = z3;
    const config = z3.mk_config();
    this.#context = z3.mk_context(config);
    z3.del_config(config);
  }

  end(): void {
    this.#z3.del_context(this.#context);
  }

  async check(conditions: readonly Term[], { milliseconds, steps, second }: Bounds): Promise<SolverAnswer> {
    const z3 = this.#z3;
    const context = this.#context;
    const solver = second
      ? z3.mk_simple_solver(context)
      : z3.mk_solver_for_logic(context, z3.mk_string_symbol(context, 'QF_BV'));
    z3.solver_inc_ref(context, solver);
    try {
      for (const one of conditions) z3.solver_assert(context, solver, this.#condition(one));
      const seed = second ? { random_seed: 12_345 } : {};
      this.#set(solver, { rlimit: QUICK_STEPS, ...seed });
      let answer: number = await z3.solver_check(context, solver);
      if (answer === UNKNOWN) {
        this.#set(solver, { rlimit: steps, timeout: milliseconds, ...seed });
        answer = await z3.solver_check(context, solver);
      }
      if (answer === SATISFIABLE) return { status: 'satisfiable', values: this.#model(solver, conditions) };
      if (answer === UNSATISFIABLE) return { status: 'unsatisfiable' };
      const reason = z3.solver_get_reason_unknown(context, solver);
      return { status: 'unknown', reason: whyUnknown(reason, milliseconds, steps) };
    } finally {
      z3.solver_dec_ref(context, solver);
    }
  }

  #set(solver: Z3_solver, values: Readonly<Record<string, number>>): void {
    const z3 = this.#z3;
    const context = this.#context;
    const parameters = z3.mk_params(context);
    z3.params_inc_ref(context, parameters);
    for (const [name, value] of Object.entries(values))
      z3.params_set_uint(context, parameters, z3.mk_string_symbol(context, name), value);
    z3.solver_set_params(context, solver, parameters);
    z3.params_dec_ref(context, parameters);
  }

  #model(solver: Z3_solver, conditions: readonly Term[]): Map<Term, bigint> {
    const z3 = this.#z3;
    const context = this.#context;
    const model = z3.solver_get_model(context, solver);
    z3.model_inc_ref(context, model);
    const values = new Map<Term, bigint>();
    for (const unknown of new Set(conditions.flatMap((one) => [...unknownsOf(one)]))) {
      const value = z3.model_eval(context, model, this.#vector(unknown), true);
      if (value !== null) values.set(unknown, BigInt(z3.get_numeral_string(context, value)));
    }
    z3.model_dec_ref(context, model);
    return values;
  }

  /** A term of one bit as a truth value. */
  #condition(term: Term): Z3_ast {
    const known = this.#conditions.get(term);
    if (known !== undefined) return known;
    const made = this.#makeCondition(term);
    this.#conditions.set(term, made);
    return made;
  }

  #makeCondition(term: Term): Z3_ast {
    const z3 = this.#z3;
    const context = this.#context;
    const [a, b] = term.operands;
    switch (term.operation) {
      case 'eq':
        return z3.mk_eq(context, this.#vector(a!), this.#vector(b!));
      case 'ult':
        return z3.mk_bvult(context, this.#vector(a!), this.#vector(b!));
      case 'slt':
        return z3.mk_bvslt(context, this.#vector(a!), this.#vector(b!));
      case 'and':
        return z3.mk_and(context, [this.#condition(a!), this.#condition(b!)]);
      case 'or':
        return z3.mk_or(context, [this.#condition(a!), this.#condition(b!)]);
      case 'xor':
        if (isConst(b!) && b!.value === 1n) return z3.mk_not(context, this.#condition(a!));
        return z3.mk_xor(context, this.#condition(a!), this.#condition(b!));
      case 'const':
        return term.value === 1n ? z3.mk_true(context) : z3.mk_false(context);
      default:
        return z3.mk_eq(context, this.#vector(term), this.#number(1, 1n));
    }
  }

  #number(width: number, value: bigint): Z3_ast {
    const z3 = this.#z3;
    return z3.mk_numeral(this.#context, value.toString(), z3.mk_bv_sort(this.#context, width));
  }

  #vector(term: Term): Z3_ast {
    const known = this.#vectors.get(term);
    if (known !== undefined) return known;
    const made = this.#make(term);
    this.#vectors.set(term, made);
    return made;
  }

  #make(term: Term): Z3_ast {
    const z3 = this.#z3;
    const context = this.#context;
    const { operands, width, operation } = term;
    if (operation === 'eq' || operation === 'ult' || operation === 'slt') {
      return z3.mk_ite(context, this.#condition(term), this.#number(1, 1n), this.#number(1, 0n));
    }
    if (operation === 'ite') {
      const [condition, then, otherwise] = operands;
      return z3.mk_ite(context, this.#condition(condition!), this.#vector(then!), this.#vector(otherwise!));
    }
    const parts = operands.map((one) => this.#vector(one));
    const [a, b] = parts as [Z3_ast, Z3_ast];
    const unlessZero = (result: Z3_ast): Z3_ast => {
      const zero = this.#number(width, 0n);
      return z3.mk_ite(context, z3.mk_eq(context, b, zero), zero, result);
    };
    switch (operation) {
      case 'const':
        return this.#number(width, term.value);
      case 'var':
        return z3.mk_const(context, z3.mk_string_symbol(context, term.name), z3.mk_bv_sort(context, width));
      case 'sum': {
        const scaled = parts.map((part, index) => {
          const factor = term.factors[index]!;
          if (factor === 1n) return part;
          return z3.mk_bvmul(context, part, this.#number(width, factor));
        });
        if (term.value !== 0n) scaled.push(this.#number(width, term.value));
        return scaled.reduce((sum, part) => z3.mk_bvadd(context, sum, part));
      }
      case 'mul':
        return z3.mk_bvmul(context, a, b);
      case 'udiv':
        return unlessZero(z3.mk_bvudiv(context, a, b));
      case 'urem':
        return z3.mk_bvurem(context, a, b);
      case 'sdiv':
        return unlessZero(z3.mk_bvsdiv(context, a, b));
      case 'srem':
        return z3.mk_bvsrem(context, a, b);
      case 'and':
        return z3.mk_bvand(context, a, b);
      case 'or':
        return z3.mk_bvor(context, a, b);
      case 'xor':
        return z3.mk_bvxor(context, a, b);
      case 'shl':
        return z3.mk_bvshl(context, a, b);
      case 'lshr':
        return z3.mk_bvlshr(context, a, b);
      case 'ashr':
        return z3.mk_bvashr(context, a, b);
      case 'concat':
        return parts.reduce((upper, lower) => z3.mk_concat(context, upper, lower));
      case 'extract':
        return z3.mk_extract(context, term.low + width - 1, term.low, a);
      case 'sext':
        return z3.mk_sign_ext(context, width - operands[0]!.width, a);
    }
  }
}

/** @param reason the solver's own: it is canceled where its steps are used up */
function whyUnknown(reason: string, milliseconds: number, steps: number): string {
  if (steps > 0 && /canceled|resource limit/.test(reason))
    return `the solver had ${steps.toLocaleString('en-US')} steps`;
  return /timeout|canceled/.test(reason)
    ? `the solver had ${milliseconds / 1000} s`
    : `the solver: ${reason}`;
}
