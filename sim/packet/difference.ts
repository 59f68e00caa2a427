/** Two packets side by side: which fields differ, by name, and which bytes where no field can be named. */
import { toHex } from './bytes.ts';
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
 * The differences in order of their place; none if and only if the bytes are the same. A difference in length
 * alone is `length`. Never throws, whatever the bytes are.
 * @param protocol what the first byte belongs to, a name of the register
 */
export function difference(
  left: Uint8Array,
  right: Uint8Array,
  protocol: string = 'ethernet',
): FieldDifference[] {
  const found: FieldDifference[] = [];
  const covered = new Uint8Array(Math.max(left.length, right.length));
  if (left.length !== right.length) {
    found.push({
      path: 'length',
      label: 'Frame length',
      left: `${left.length} bytes`,
      right: `${right.length} bytes`,
    });
  }
  const leftLeaves = leavesOf(decodeTree(left, 0, left.length, protocol));
  const rightLeaves = leavesOf(decodeTree(right, 0, right.length, protocol));
  for (const [path, a] of leftLeaves) {
    const b = rightLeaves.get(path);
    if (b === undefined) {
      // The other packet has another structure here: its own fields, or single bytes below, tell of it.
      continue;
    }
    // Equal text does not make equal fields: payloads are shown shortened.
    const isSame = a.text === b.text && sameBytes(left, a, right, b);
    if (isSame || isOpaque(a) || isOpaque(b)) continue;
    if (a.text === b.text && a.bits !== undefined) continue;
    found.push({
      path,
      label: a.label,
      left: a.text,
      right: b.text,
      leftRange: rangeOf(a),
      rightRange: rangeOf(b),
    });
    covered.fill(1, a.offset, a.offset + a.length);
    covered.fill(1, b.offset, b.offset + b.length);
  }
  found.push(...byteDifferences(left, right, covered));
  return found.sort((a, b) => startOf(a) - startOf(b));
}

/** Payload and padding: shown as the ranges of bytes that differ, and not as a whole. */
function isOpaque(node: TreeNode): boolean {
  return node.name === 'payload' || node.name === 'padding' || node.name === 'data';
}

function leavesOf(layers: readonly TreeNode[]): Map<string, TreeNode> {
  const leaves = new Map<string, TreeNode>();
  const visit = (node: TreeNode, path: string): void => {
    if (node.children.length === 0) leaves.set(path, node);
    for (const child of node.children) visit(child, `${path}.${child.name}`);
  };
  for (const layer of layers) visit(layer, layer.name);
  return leaves;
}

function sameBytes(left: Uint8Array, a: TreeNode, right: Uint8Array, b: TreeNode): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) {
    if (left[a.offset + index] !== right[b.offset + index]) return false;
  }
  return true;
}

/** Runs of bytes that differ and that no field accounts for. */
function byteDifferences(left: Uint8Array, right: Uint8Array, covered: Uint8Array): FieldDifference[] {
  const found: FieldDifference[] = [];
  const shared = Math.min(left.length, right.length);
  let from = -1;
  for (let index = 0; index <= shared; index++) {
    const differs = index < shared && left[index] !== right[index] && covered[index] === 0;
    if (differs && from < 0) from = index;
    if (differs || from < 0) continue;
    const range = { from, to: index };
    found.push({
      path: index - from === 1 ? `byte ${from}` : `bytes ${from}–${index - 1}`,
      label: 'Bytes',
      left: toHex(left, from, index - from),
      right: toHex(right, from, index - from),
      leftRange: range,
      rightRange: range,
    });
    from = -1;
  }
  return found;
}

function rangeOf(node: TreeNode): ByteRange {
  return { from: node.offset, to: node.offset + node.length };
}

function startOf(found: FieldDifference): number {
  return found.path === 'length' ? Number.MAX_SAFE_INTEGER : (found.leftRange?.from ?? 0);
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
