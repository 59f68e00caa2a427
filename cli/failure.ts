/** What ends a command early: every one carries the exit code and what the user can do. */

import { inspect } from 'node:util';
import { ToolEnded } from '../bpf/tool-ended.ts';
import { systemProblem } from '../corpus/files/system-error.ts';
import { EngineError } from '../sim/engines/engine.ts';
import { InputError } from '../sim/runtime/input-error.ts';
import { withSourcePositions } from './bundle/source-positions.ts';
import { moduleProblem } from './input/module-errors.ts';
import { reportLine, reportLines } from './output.ts';

export const EXIT = {
  /** All agreed. */
  agreed: 0,
  /** A divergence or a fault was found. */
  found: 1,
  /** Wrong usage or bad input. */
  input: 2,
  /** The environment cannot do what was asked. */
  environment: 3,
  /** Less was reached than was asked for: `--require`, `--min-coverage`. */
  incomplete: 4,
  /** A defect of xdpsim itself (EX_SOFTWARE of sysexits.h): the one case in which a stack trace is shown. */
  defect: 70,
  /** Ended by Ctrl-C, as shells number it. */
  interrupted: 130,
} as const;

export class Failure extends Error {
  readonly exitCode: number;
  readonly remedy: string | undefined;
  readonly log: string | undefined;

  constructor(
    exitCode: number,
    message: string,
    details: { readonly remedy?: string | undefined; readonly log?: string | undefined } = {},
  ) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.remedy = details.remedy;
    this.log = details.log;
  }
}

/** Wrong usage, or a file that is not what it should be. */
export function inputFailure(message: string, remedy?: string): Failure {
  return new Failure(EXIT.input, message, remedy === undefined ? {} : { remedy });
}

export function environmentFailure(message: string, remedy?: string): Failure {
  return new Failure(EXIT.environment, message, remedy === undefined ? {} : { remedy });
}

/**
 * Brings whatever was thrown into the form that is shown to users; undefined for what is a defect of xdpsim
 * itself, which deserves its stack trace.
 */
export function toFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (error instanceof EngineError) {
    return new Failure(error.kind === 'input' ? EXIT.input : EXIT.environment, error.message, {
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
      ...(error.log === undefined ? {} : { log: error.log }),
    });
  }
  const problem = systemProblem(error);
  if (problem !== undefined) {
    const { kind, message, remedy } = problem;
    return kind === 'input' ? inputFailure(message, remedy) : environmentFailure(message, remedy);
  }
  if (error instanceof InputError) return inputFailure(error.message);
  // Ctrl-C goes to the whole group: a tool that the command waits for ends by it, too.
  if (/^SIG(INT|TERM|HUP)$/.test((error as { signal?: string } | undefined)?.signal ?? '')) {
    return new Failure(EXIT.interrupted, 'interrupted');
  }
  // Somebody else ended it, or the kernel, which had no memory left.
  if (error instanceof ToolEnded) return environmentFailure(error.message, 'run it again');
  const ofModule = moduleProblem(error);
  if (ofModule !== undefined) return inputFailure(ofModule);
  return undefined;
}

/**
 * Prints what ended the command: log, message, remedy; of a defect of xdpsim, the stack.
 * @returns the exit code
 */
export function reportError(error: unknown): number {
  const failure = toFailure(error);
  if (failure === undefined) {
    reportLines(
      withSourcePositions(error instanceof Error ? (error.stack ?? error.message) : inspect(error)),
    );
    reportLine('xdpsim: this is a defect of xdpsim; please report the lines above');
    return EXIT.defect;
  }
  if (failure.log !== undefined) reportLines(failure.log.trimEnd());
  reportLine(`xdpsim: ${failure.message}`);
  if (failure.remedy !== undefined) reportLine(`        ${failure.remedy}`);
  return failure.exitCode;
}
