/** The fields of a header as nodes of a tree. */
import type { TreeNode } from '../dissection.ts';
import { type Field, showField } from './field.ts';
import { type Place, readWord } from './place.ts';

/** One row of a header's table. */
export interface Row {
  readonly name: string;
  readonly field: Field;
  readonly place: Place;
}

/** The fields that lie wholly before `end`. */
export function nodesOf(
  rows: readonly Row[],
  bytes: Uint8Array,
  offset: number,
  end: number,
  notes: Readonly<Record<string, string | undefined>> = {},
): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (const row of rows) {
    const { at, size } = row.place;
    if (offset + at + size <= end) nodes.push(nodeOf(row, bytes, offset, notes[row.name]));
  }
  return nodes;
}

function nodeOf(
  { name, field, place }: Row,
  bytes: Uint8Array,
  offset: number,
  note: string | undefined,
): TreeNode {
  const { at, size, shift, bits } = place;
  return {
    name,
    label: field.label,
    offset: offset + at,
    length: size,
    text: showField(field, bytes, offset, place),
    ...(bits === size * 8
      ? {}
      : { bits: drawBits(readWord(bytes, offset + at, size), size * 8, shift, bits) }),
    ...(note === undefined ? {} : { note }),
    children: [],
  };
}

/** `.... 0101`: the bits of a field, dots for the rest of its word. */
function drawBits(word: number, size: number, shift: number, width: number): string {
  const binary = word.toString(2).padStart(size, '0');
  let drawn = '';
  for (let index = 0; index < size; index++) {
    if (index > 0 && index % 4 === 0) drawn += ' ';
    const bit = size - 1 - index;
    drawn += bit >= shift && bit < shift + width ? binary[index]! : '.';
  }
  return drawn;
}
