/** What is wrong with a text that is no JSON, and where. */

/**
 * @param text what `JSON.parse` was given
 * @param error what it threw
 * @returns to follow the name of the file: "is not valid JSON: expected ':' after property name at line 2, column 5"
 */
export function jsonProblem(text: string, error: unknown): string {
  if (text.trim() === '') return 'is empty: expected JSON';
  if (/[\0\ufffd]/.test(text)) return 'contains bytes that are no text: expected JSON';
  const { message } = error as Error;
  const at = positionOf(text, message);
  const problem = message
    .replace(EXCERPT, '')
    .replace(/ (in |after )?JSON at position .*$/s, '')
    .replace(/ of JSON input$/, '');
  const place = at === undefined ? '' : ` at ${lineAndColumn(text, at)}`;
  return `is not valid JSON: ${problem.charAt(0).toLowerCase()}${problem.slice(1)}${place}`;
}

/** How V8 ends messages without a position: `, ..."aaaaaaaa":hhaaaaaaaa"... is not valid JSON`. */
const EXCERPT = /, (\.\.\.)?"(.*)"(\.\.\.)? is not valid JSON$/s;
/** Characters of the text that such an excerpt holds before the one that is meant. */
const BEFORE = 10;

function positionOf(text: string, message: string): number | undefined {
  const stated = /JSON at position (\d+)/.exec(message)?.[1];
  if (stated !== undefined) return Number(stated);
  const [, isInside, excerpt] = EXCERPT.exec(message) ?? [];
  if (isInside === undefined || excerpt === undefined) return undefined;
  const at = text.indexOf(excerpt);
  return at < 0 ? undefined : at + BEFORE;
}

/** "line 2, column 5", both from 1. */
export function lineAndColumn(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n');
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}
