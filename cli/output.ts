/**
 * The one place that writes to standard output and standard error.
 *
 * Whatever is printed may hold text from outside: names in objects and captures, arguments, errors of parsers. So
 * everything is made visible here, and nothing prints around it (`output.test.ts` looks for it). The terminal's own
 * colours are marks until they are written, which no text from outside can imitate.
 */
import { styleText } from 'node:util';
import { randomHex } from '../corpus/files/random-hex.ts';
import { isFile, writeFully } from '../corpus/files/write-fully.ts';
import { visibleJson, visibleLine, visibleLines } from '../sim/runtime/visible-text.ts';
import { DESCRIPTORS, isTerminal, type StandardStream, writeDirectly } from './standard-streams.ts';

export type Style = Parameters<typeof styleText>[0];

/** Stands for ESC in what `paint` returns; new in every process, so that nobody can write it into a file. */
let escapeMark: string | undefined;

/** One line on standard output; newlines in it are made visible. */
export function printLine(line: string = ''): void {
  write('stdout', `${unmarked(visibleLine(line))}\n`);
}

/** Resolves when a reader of standard output that has gone has been noticed, of all that was printed until now. */
export function outputSettled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Text of several lines on standard output. */
export function printLines(text: string): void {
  printText(`${text}\n`);
}

/** Text that ends its own lines, on standard output. */
export function printText(text: string): void {
  write('stdout', unmarked(visibleLines(text)));
}

/** One JSON document on standard output. */
export function printJson(document: unknown, indent?: number): void {
  write('stdout', `${visibleJson(document, indent)}\n`);
}

/** One line on standard error. */
export function reportLine(line: string): void {
  write('stderr', `${unmarked(visibleLine(line))}\n`);
}

/** Text of several lines on standard error. */
export function reportLines(text: string): void {
  reportText(`${text}\n`);
}

/** Text that ends its own lines, on standard error. */
export function reportText(text: string): void {
  write('stderr', unmarked(visibleLines(text)));
}

/** Replaces the line on standard error; `undefined` removes it. Where standard error is no terminal, prints nothing. */
export function showProgress(line: string | undefined): void {
  if (!isTerminal('stderr')) return;
  const shown = line === undefined ? '' : visibleLine(line).slice(0, (process.stderr.columns ?? 80) - 1);
  write('stderr', `\r\x1b[K${shown}`);
}

/** Empties the terminal on standard output; where that is none, prints nothing. */
export function clearScreen(): void {
  if (isTerminal('stdout')) write('stdout', '\x1b[2J\x1b[3J\x1b[H');
}

/** Text in a style, which becomes visible when it is printed through this module. */
export function paint(style: Style, text: string): string {
  escapeMark ??= `\ue000${randomHex(8)}\ue001`;
  const [open = '', close = ''] = styleText(style, '|', { validateStream: false })
    .replaceAll('\x1b', escapeMark)
    .split('|');
  return open + text + close;
}

/** Characters of a text on the terminal, without its colours. */
export function shownLength(text: string): number {
  return visibleLine(withoutStyles(text)).length;
}

function write(name: StandardStream, text: string): void {
  const left = writeDirectly(name, Buffer.from(text));
  if (left === undefined) return;
  const stream = process[name];
  if (!isFile(stream, DESCRIPTORS[name])) {
    stream.write(left);
    return;
  }
  try {
    writeFully(DESCRIPTORS[name], left);
  } catch (error) {
    // Whoever listens to the stream hears of both kinds of output.
    stream.emit('error', error);
  }
}

function unmarked(text: string): string {
  return escapeMark === undefined ? text : text.replaceAll(escapeMark, '\x1b');
}

function withoutStyles(text: string): string {
  return escapeMark === undefined ? text : text.replaceAll(new RegExp(`${escapeMark}\\[[\\d;]*m`, 'g'), '');
}
