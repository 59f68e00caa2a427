/** What `xdpsim bench` measures: a figure, taken several times in turn with the others. */

/** Takes one figure; called once per round, so that the rounds of all measures are interleaved. */
export interface Measure {
  /** Stable, for scripts: `testrun/c`. */
  readonly name: string;
  /** What the figure is: "packets per second", "time per packet". */
  readonly of: string;
  /** For a ratio: its numerator and denominator in words. Absent where the figure stands for itself. */
  readonly ratio?: string;
  take(): Promise<Figure>;
  close(): Promise<void>;
}

export interface Figure {
  /** The ratio, or the figure itself where there is none. */
  readonly value: number;
  /** What the ratio was made of, in the unit of `of`. */
  readonly parts?: Readonly<Record<string, number>>;
}

export interface Result {
  readonly name: string;
  readonly of: string;
  readonly runs: number;
  /** Medians. */
  readonly ratio?: number;
  readonly value?: number;
  readonly min: number;
  readonly max: number;
  readonly parts?: Readonly<Record<string, number>>;
}

/** Rounds through all measures, one figure each; the first round warms up and does not count. */
export async function interleave(
  measures: readonly Measure[],
  rounds: number,
  onRound: (round: number, measure: string) => void,
): Promise<Result[]> {
  const figures = measures.map((): Figure[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, measure] of measures.entries()) {
      onRound(round, measure.name);
      const figure = await measure.take();
      if (round > 0) figures[index]!.push(figure);
    }
  }
  return measures.map((measure, index) => toResult(measure, figures[index]!));
}

function toResult({ name, of, ratio }: Measure, figures: readonly Figure[]): Result {
  const values = figures.map((figure) => figure.value);
  const middle = median(values);
  const names = Object.keys(figures[0]?.parts ?? {});
  const parts = Object.fromEntries(
    names.map((part) => [part, median(figures.map((figure) => figure.parts![part]!))]),
  );
  return {
    name,
    of,
    runs: figures.length,
    ...(ratio === undefined ? { value: middle } : { ratio: middle }),
    min: Math.min(...values),
    max: Math.max(...values),
    ...(names.length === 0 ? {} : { parts }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Milliseconds of processor time that this process has used. What others do on the machine does not count, as it does not
 * in the time that the kernel states for its test runs.
 */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
