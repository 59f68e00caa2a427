/** How output looks: colour where it is wanted, tables, and the progress line. */
import { paint, printLine, printLines, type Style, shownLength, showProgress } from './output.ts';
import { isTerminal } from './standard-streams.ts';

export interface Terminal {
  readonly colour: boolean;
  /** Colours never carry meaning alone: the text says the same without them. */
  style(style: Style, text: string): string;
  /** One line on standard output; newlines in it are made visible. */
  print(line?: string): void;
  /** Text of several lines on standard output. */
  printLines(text: string): void;
  /** Replaces the progress line on standard error; where that is no terminal, does nothing and makes no line. */
  progress(line: () => string): void;
  clearProgress(): void;
}

export function createTerminal(options: { readonly color?: boolean } = {}): Terminal {
  const colour = options.color !== false && !process.env.NO_COLOR && isTerminal('stdout');
  let shown = false;
  const clear = (): void => {
    if (shown) showProgress(undefined);
    shown = false;
  };
  return {
    colour,
    style: (style, text) => (colour ? paint(style, text) : text),
    print(line = '') {
      clear();
      printLine(line);
    },
    printLines(text) {
      clear();
      printLines(text);
    },
    progress(line) {
      if (!isTerminal('stderr')) return;
      showProgress(line());
      shown = true;
    },
    clearProgress: clear,
  };
}

/** Lines up columns two spaces apart; the columns named in `right` are aligned to the right. */
export function table(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, shownLength(cell));
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const space = ' '.repeat(width - shownLength(cell));
        return right.has(column) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** 1234567 as "1,234,567". */
export function count(value: number): string {
  // Not `toLocaleString`: the first call takes 20 ms.
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Packets per second in three figures: "1.94 M/s". */
export function rate(packets: number, seconds: number): string {
  if (seconds <= 0 || packets === 0) return '–';
  const perSecond = packets / seconds;
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)} M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toPrecision(3)} k/s`;
  return `${perSecond.toPrecision(3)} /s`;
}
