/** A packet as a tree with only the changed layers open, what was expected beside what came. */
import { decodeTree, type TreeNode } from '../../sim/packet/tree.ts';
import type { Paint } from './paint.ts';

export interface TreeSubject {
  /** The packet as the program left it. */
  readonly got: Uint8Array;
  /** The same from the reference; absent where only the oracle speaks. */
  readonly expected?: Uint8Array;
  /** As it came. */
  readonly came: Uint8Array;
}

/**
 * Lines of text. A changed field is marked with `!` and shows its three values; a layer that only one of the packets
 * has is marked with `+` (got) or `-` (expected).
 */
export function changedTree({ got, expected, came }: TreeSubject, paint: Paint): string[] {
  const reference = expected ?? came;
  const before = leavesByPath(decodeTree(came));
  const wanted = leavesByPath(decodeTree(reference));
  const tree = decodeTree(got);
  const lines: string[] = [];
  for (const layer of tree) {
    const isThere = [...wanted.keys()].some(
      (path) => path === layer.name || path.startsWith(`${layer.name}.`),
    );
    const changed = [...leaves(layer, layer.name)].some(([path, node]) =>
      differs(node, got, wanted.get(path), reference),
    );
    const sign = isThere ? (changed ? '!' : ' ') : '+';
    lines.push(layerLine(sign, layer, paint));
    if (!changed && isThere) continue;
    for (const [path, node] of leaves(layer, layer.name)) {
      if (path === layer.name) continue;
      lines.push(fieldLine(path, node));
    }
  }
  for (const layer of decodeTree(reference)) {
    if (!tree.some(({ name }) => name === layer.name)) lines.push(layerLine('-', layer, paint));
  }
  return lines;

  function fieldLine(path: string, node: TreeNode): string {
    const other = wanted.get(path);
    const note = node.note === undefined ? '' : ` [${node.note}]`;
    const text = `${node.label}: ${node.text}${note}`;
    if (!differs(node, got, other, reference)) return `      ${text}`;
    const was = before.get(path);
    const values = [
      ...(expected === undefined ? [] : [`expected ${other === undefined ? 'nothing' : other.text}`]),
      `came as ${was === undefined ? 'nothing' : was.text}`,
    ];
    return paint('bad', `    ! ${text}   (${values.join(', ')})`);
  }
}

function layerLine(sign: string, layer: TreeNode, paint: Paint): string {
  const note = layer.note === undefined || layer.note === layer.text ? '' : ` [${layer.note}]`;
  const text = `  ${sign} ${layer.label}${layer.text === '' ? '' : `, ${layer.text}`}${note}`;
  return sign === ' ' ? paint('dim', text) : paint('strong', text);
}

function differs(
  node: TreeNode,
  packet: Uint8Array,
  other: TreeNode | undefined,
  reference: Uint8Array,
): boolean {
  if (other === undefined || other.length !== node.length) return true;
  // Bit fields share their bytes with others.
  if (node.bits !== undefined) return node.text !== other.text;
  for (let index = 0; index < node.length; index++) {
    if (packet[node.offset + index] !== reference[other.offset + index]) return true;
  }
  return false;
}

/** The nodes without children, and layers without any. */
function* leaves(node: TreeNode, path: string): Generator<[path: string, node: TreeNode], void, void> {
  if (node.children.length === 0) yield [path, node];
  for (const child of node.children) yield* leaves(child, `${path}.${child.name}`);
}

function leavesByPath(layers: readonly TreeNode[]): Map<string, TreeNode> {
  return new Map(layers.flatMap((layer) => [...leaves(layer, layer.name)]));
}
