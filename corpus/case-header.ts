/**
 * The head of a case file: program, world and note, as JSON in the comments of a pcapng section.
 *
 * A comment holds 65 535 bytes at the most. A head that takes more goes on in the next comment: whatever fills
 * exactly `PART_LENGTH` bytes is continued.
 */
import { type World, worldFromJson, worldToJson } from '../sim/runtime/world.ts';
import { parseObject } from './stimulus-comment.ts';

/** Where a case came from; nothing in it changes what the case does. */
export interface CaseNote {
  /** The seed of the run that found it. */
  readonly seed?: string;
  /** The engines that disagreed on it. */
  readonly engines?: readonly string[];
  /** What they disagreed about: `icmp.checksum`. */
  readonly field?: string;
  /** One line for people. */
  readonly summary?: string;
}

export interface CaseHeader {
  readonly program: string;
  readonly world: World;
  readonly note?: CaseNote;
}

/** The version of the form; the first field, so that a head is recognised by its beginning. */
const VERSION = 1;
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
    xdpsim: VERSION,
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
 * @throws {TypeError} saying what was found instead of a head that is whole and of this version
 */
export function headerFromComments(comments: readonly string[]): CaseHeader | undefined {
  const first = comments.findIndex((comment) => comment.startsWith(BEGINNING));
  if (first < 0) return undefined;
  let last = first;
  while (last + 1 < comments.length && comments[last]!.length === PART_LENGTH) last++;
  const fields = parseObject(comments.slice(first, last + 1).join(''));
  if (fields.xdpsim !== VERSION) {
    throw new TypeError(`a case of version ${JSON.stringify(fields.xdpsim)}; this xdpsim reads ${VERSION}`);
  }
  for (const name of Object.keys(fields)) {
    if (!FIELDS.has(name)) throw new TypeError(`the unknown field ${JSON.stringify(name)}`);
  }
  const { program, world, note } = fields;
  if (typeof program !== 'string') throw new TypeError('no "program" that is a string');
  return {
    program,
    world: worldFromJson(world),
    ...(note === undefined ? {} : { note: noteFromJson(note) }),
  };
}

const FIELDS: ReadonlySet<string> = new Set(['xdpsim', 'program', 'world', 'note']);

function noteFromJson(json: unknown): CaseNote {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new TypeError('a "note" that is no object');
  }
  const note: { -readonly [Field in keyof CaseNote]: CaseNote[Field] } = {};
  for (const [name, value] of Object.entries(json)) {
    switch (name) {
      case 'seed':
      case 'field':
      case 'summary':
        if (typeof value !== 'string') throw new TypeError(`a note's "${name}" that is no string`);
        note[name] = value;
        break;
      case 'engines':
        if (!Array.isArray(value) || value.some((engine) => typeof engine !== 'string')) {
          throw new TypeError('a note\'s "engines" that are no list of strings');
        }
        note.engines = value as string[];
        break;
      default:
        throw new TypeError(`the unknown field ${JSON.stringify(name)} in a note`);
    }
  }
  return note;
}
