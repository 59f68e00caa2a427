/** What is no fault for certain, counted over the run. */
export interface Warning {
  readonly severity: 'warning' | 'info';
  /** Which kind, for programs that read reports: `uninitialized-stack`. */
  readonly kind: string;
  /** One line. */
  readonly summary: string;
  readonly source?: SourcePlace;
  /** How many packets showed it; absent where it is about the program as a whole. */
  readonly packets?: number;
}

/** A line of a C source, without its text. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
}
