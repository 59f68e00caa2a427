/** Two packets side by side: which fields differ, by name, and which bytes where no field can be named. */
import { equal, toHex } from './bytes.ts';
import type { TreeNode } from './dissection.ts';
import type { ByteRange } from './hexdump.ts';
import { decodeTree } from './tree.ts';

export interface FieldDifference {
  /** `icmp.checksum`, `ipv4#2.ttl`; `bytes 40–47` where decoding does not reach; `length`. */
  readonly path: string;
  /** What people read: `Checksum`. */
  readonly label: string;
  /** The values in text; absent where this packet lacks the field. */
  readonly left?: string;
  readonly right?: string;
  /** Where the field lies in each packet. */
  readonly leftRange?: ByteRange;
  readonly rightRange?: ByteRange;
}

/**
 * The differences in order of their place; none if and only if the bytes are the same. Layers are compared by
 * name, not by place: a tag pushed is one difference, and not all bytes behind it. Never throws, whatever the
 * bytes are.
 * @param protocol what the first byte belongs to, a name of the register
 */
export function difference(
  left: Uint8Array,
  right: Uint8Array,
  protocol: string = 'ethernet',
): FieldDifference[] {
  const found: FieldDifference[] = [];
  const sides = {
    left,
    right,
    leftTold: new Uint8Array(left.length),
    rightTold: new Uint8Array(right.length),
  };
  const leftLayers = decodeTree(left, 0, left.length, protocol);
  const rightLayers = decodeTree(right, 0, right.length, protocol);
  compareNodes(sides, leftLayers, rightLayers, '', found);
  found.push(...untoldBytes(sides));
  if (left.length !== right.length) {
    found.push({
      path: 'length',
      label: 'Frame length',
      left: `${left.length} bytes`,
      right: `${right.length} bytes`,
    });
  }
  return found.sort((a, b) => startOf(a) - startOf(b));
}

interface Sides {
  readonly left: Uint8Array;
  readonly right: Uint8Array;
  /** 1 for every byte that a compared or reported field accounts for. */
  readonly leftTold: Uint8Array;
  readonly rightTold: Uint8Array;
}

function compareNodes(
  sides: Sides,
  left: readonly TreeNode[],
  right: readonly TreeNode[],
  prefix: string,
  found: FieldDifference[],
): void {
  for (const a of left) {
    const path = prefix + a.name;
    const b = right.find(({ name }) => name === a.name);
    if (b === undefined) {
      found.push({ path, label: a.label, left: a.text, leftRange: rangeOf(a) });
      sides.leftTold.fill(1, a.offset, a.offset + a.length);
    } else if (a.children.length > 0 || b.children.length > 0) {
      compareNodes(sides, a.children, b.children, `${path}.`, found);
    } else if (isOpaque(a)) {
      compareOpaque(sides, a, b, found);
    } else {
      compareFields(sides, a, b, path, found);
    }
  }
  for (const b of right) {
    if (left.some(({ name }) => name === b.name)) continue;
    found.push({ path: prefix + b.name, label: b.label, right: b.text, rightRange: rangeOf(b) });
    sides.rightTold.fill(1, b.offset, b.offset + b.length);
  }
}

function compareFields(sides: Sides, a: TreeNode, b: TreeNode, path: string, found: FieldDifference[]): void {
  const { left, right } = sides;
  const hasSameText = a.text === b.text;
  // A bit field shares its bytes with others, which speak for themselves.
  const isSame = hasSameText && (a.bits !== undefined || sameBytes(left, a, right, b));
  if (isSame && a.bits !== undefined) return;
  sides.leftTold.fill(1, a.offset, a.offset + a.length);
  sides.rightTold.fill(1, b.offset, b.offset + b.length);
  if (isSame) return;
  found.push({
    path,
    label: a.label,
    left: hasSameText ? toHex(left, a.offset, a.length) : a.text,
    right: hasSameText ? toHex(right, b.offset, b.length) : b.text,
    leftRange: rangeOf(a),
    rightRange: rangeOf(b),
  });
}

/** Payload and padding: the runs of bytes that differ, counted from the start of each. */
function isOpaque(node: TreeNode): boolean {
  return node.name === 'payload' || node.name === 'padding';
}

function compareOpaque(sides: Sides, a: TreeNode, b: TreeNode, found: FieldDifference[]): void {
  const shared = Math.min(a.length, b.length);
  sides.leftTold.fill(1, a.offset, a.offset + a.length);
  sides.rightTold.fill(1, b.offset, b.offset + b.length);
  forRuns(
    shared,
    (index) => sides.left[a.offset + index] !== sides.right[b.offset + index],
    (from, to) => found.push(bytesDiffer(sides, a.offset + from, b.offset + from, to - from)),
  );
}

function sameBytes(left: Uint8Array, a: TreeNode, right: Uint8Array, b: TreeNode): boolean {
  return a.length === b.length && equal(left, a.offset, right, b.offset, a.length);
}

/** Runs of bytes that differ and that no field accounts for. */
function untoldBytes(sides: Sides): FieldDifference[] {
  const { left, right, leftTold, rightTold } = sides;
  const found: FieldDifference[] = [];
  forRuns(
    Math.min(left.length, right.length),
    (index) => left[index] !== right[index] && leftTold[index] === 0 && rightTold[index] === 0,
    (from, to) => found.push(bytesDiffer(sides, from, from, to - from)),
  );
  return found;
}

function forRuns(
  length: number,
  isIn: (index: number) => boolean,
  run: (from: number, to: number) => void,
): void {
  let from = -1;
  for (let index = 0; index <= length; index++) {
    const inside = index < length && isIn(index);
    if (inside && from < 0) from = index;
    if (inside || from < 0) continue;
    run(from, index);
    from = -1;
  }
}

function bytesDiffer(sides: Sides, leftAt: number, rightAt: number, length: number): FieldDifference {
  return {
    path: length === 1 ? `byte ${leftAt}` : `bytes ${leftAt}–${leftAt + length - 1}`,
    label: 'Bytes',
    left: toHex(sides.left, leftAt, length),
    right: toHex(sides.right, rightAt, length),
    leftRange: { from: leftAt, to: leftAt + length },
    rightRange: { from: rightAt, to: rightAt + length },
  };
}

function rangeOf(node: TreeNode): ByteRange {
  return { from: node.offset, to: node.offset + node.length };
}

function startOf(found: FieldDifference): number {
  return found.path === 'length'
    ? Number.MAX_SAFE_INTEGER
    : (found.leftRange?.from ?? found.rightRange?.from ?? 0);
}

/** `icmp.checksum: 0x1234 → 0x1235`, a line per difference. */
export function differenceToText(
  differences: readonly FieldDifference[],
  names: { readonly left: string; readonly right: string } = { left: 'left', right: 'right' },
): string {
  const width = Math.max(0, ...differences.map(({ path }) => path.length));
  return differences
    .map(({ path, left, right }) => {
      const a = `${names.left} ${left ?? '(absent)'}`;
      const b = `${names.right} ${right ?? '(absent)'}`;
      return `${path.padEnd(width)}  ${a}  ${b}`;
    })
    .join('\n');
}
