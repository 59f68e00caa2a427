/** Where in a program something happened. */
import type { SourceLine } from '../bpf-object.ts';

/** An instruction, by what a person can look up. */
export interface CodePlace {
  /** The function of the program. */
  readonly program: string;
  /** Slot in the program. */
  readonly instruction: number;
  /** Absent in objects without line information. */
  readonly source: SourceLine | undefined;
}
