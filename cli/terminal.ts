/** How output looks: colour where it is wanted, tables, and the progress line. */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export interface Terminal {
  readonly colour: boolean;
  /** Colours never carry meaning alone: the text says the same without them. */
  style(style: Style, text: string): string;
  /** One line on standard output. */
  print(line?: string): void;
  /** Replaces the progress line on standard error; nothing where that is no terminal. */
  progress(line: string): void;
  clearProgress(): void;
}

export function createTerminal(options: { readonly color?: boolean } = {}): Terminal {
  const colour = options.color !== false && !process.env.NO_COLOR && process.stdout.isTTY === true;
  let shown = false;
  const clear = (): void => {
    if (shown) process.stderr.write('\r\x1b[K');
    shown = false;
  };
  return {
    colour,
    style: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
    print(line = '') {
      clear();
      process.stdout.write(`${line}\n`);
    },
    progress(line) {
      if (process.stderr.isTTY !== true) return;
      process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
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
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** 1234567 as "1,234,567". */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Packets per second in three figures: "1.94 M/s". */
export function rate(packets: number, seconds: number): string {
  if (seconds <= 0 || packets === 0) return '–';
  const perSecond = packets / seconds;
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toPrecision(3)} M/s`;
  if (perSecond >= 1e3) return `${(perSecond / 1e3).toPrecision(3)} k/s`;
  return `${perSecond.toPrecision(3)} /s`;
}
