/** What ends a command early: every one carries the exit code and what the user can do. */
import { EngineError } from '../sim/engines/engine.ts';

export const EXIT = {
  /** All agreed. */
  agreed: 0,
  /** A divergence or a fault was found. */
  found: 1,
  /** Wrong usage or bad input. */
  input: 2,
  /** The environment cannot do what was asked. */
  environment: 3,
  /** A defect of xdpsim itself (EX_SOFTWARE of sysexits.h): the one case in which a stack trace is shown. */
  defect: 70,
  /** Ended by Ctrl-C, as shells number it. */
  interrupted: 130,
} as const;

export class Failure extends Error {
  readonly exitCode: number;
  readonly remedy: string | undefined;
  readonly log: string | undefined;

  constructor(exitCode: number, message: string, details: { remedy?: string; log?: string } = {}) {
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

/** Codes of node:fs errors that mean "the name you gave is wrong", in words. */
const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  EACCES: 'permission denied',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
};

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
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    const problem = FILE_PROBLEMS[error.code];
    if (problem !== undefined && 'path' in error) return inputFailure(`${String(error.path)}: ${problem}`);
  }
  // The codecs' own errors (captures, objects, cases) name file, offset and what was expected in their message.
  if (error instanceof Error && INPUT_ERRORS.has(error.name)) return inputFailure(error.message);
  return undefined;
}

const INPUT_ERRORS: ReadonlySet<string> = new Set([
  'CaptureError',
  'ObjectError',
  'CaseError',
  'BtfError',
  'ScenarioError',
]);
