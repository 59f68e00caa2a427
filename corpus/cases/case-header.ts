/**
 * The head of a case file: program, world and note, as JSON in the comments of a pcapng section.
 *
 * A comment holds 65 535 bytes at the most. A head that takes more goes on in the next comment: whatever fills
 * exactly `PART_LENGTH` bytes is continued.
 */
import { parse } from '../../sim/runtime/schema.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import { CASE_VERSION, type CaseNote, caseHeaderShape, caseVersion } from './case-header-schema.ts';
import { parseJson } from './stimulus-comment.ts';

export type { CaseNote } from './case-header-schema.ts';

export interface CaseHeader {
  readonly program: string;
  readonly world: World;
  readonly note?: CaseNote;
}

/** The version is the first field, so that a head is recognised by its beginning. */
const BEGINNING = '{"xdpsim":';

/** Bytes in a comment that is continued in the next one. */
export const PART_LENGTH = 65_532;
/** Longest head: with it the section's block stays below what any reader holds in memory. */
export const MAX_HEADER_LENGTH: number = 15 * 1024 * 1024;

/**
 * The comments that hold a head.
 * @throws {RangeError} when world and note take more than 15 MiB
 */
export function headerToComments({ program, world, note }: CaseHeader): string[] {
  const json = JSON.stringify({
    xdpsim: CASE_VERSION,
    program,
    world: worldToJson(world),
    ...(note === undefined ? {} : { note }),
  });
  if (Buffer.byteLength(json) < PART_LENGTH) return [json];
  // ASCII only, so that a part has as many bytes as characters.
  let text = json.replace(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (text.length % PART_LENGTH === 0) text += ' '; // the last part must not look continued
  if (text.length > MAX_HEADER_LENGTH) {
    throw new RangeError(
      `the world of a case takes ${text.length} bytes as JSON; a file holds ${MAX_HEADER_LENGTH}`,
    );
  }
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += PART_LENGTH) parts.push(text.slice(at, at + PART_LENGTH));
  return parts;
}

/**
 * The head in a section's comments; undefined where there is none. Comments before and behind it are for people.
 * @throws {ShapeError} naming the first place that is wrong
 */
export function headerFromComments(comments: readonly string[]): CaseHeader | undefined {
  const first = comments.findIndex((comment) => comment.startsWith(BEGINNING));
  if (first < 0) return undefined;
  let last = first;
  while (last + 1 < comments.length && comments[last]!.length === PART_LENGTH) last++;
  const fields = parseJson(comments.slice(first, last + 1).join(''));
  // First: another version may have other fields.
  parse(caseVersion, (fields as { readonly xdpsim: unknown }).xdpsim);
  const { program, world, note } = parse(caseHeaderShape, fields);
  return { program, world, ...(note === undefined ? {} : { note }) };
}
