/** What one test file reaches: regions by source file. */
export type Reached = Record<string, number[]>;

export interface RecordedTest {
  readonly ms: number;
  readonly reached: Reached;
}

export interface Recording {
  readonly testFile: string;
  /** What loading the file and hooks of groups of tests reach. */
  readonly outside: Reached;
  readonly tests: Readonly<Record<string, RecordedTest>>;
}
