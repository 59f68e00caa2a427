/**
 * A frame as a tree of layers and fields, each with its range of bytes: what explanations are made of. Any bytes
 * make a tree; what cannot be decoded becomes a node that says why.
 */
import { describeError } from './decoding.ts';
import { bytesNode, type Context, type TreeNode } from './dissection.ts';
import { walkLayers } from './walk-layers.ts';

export type { TreeNode } from './dissection.ts';

/**
 * The layers of a frame in order, outermost first, as siblings; their fields are their children.
 *
 * A layer that occurs again gets a number: `ipv4`, `ipv4#2`. Bytes behind the last layer are `payload`, bytes
 * behind the IP packet `padding`.
 * @param protocol what the first byte belongs to, a name of the register
 * @param around what every layer is told
 */
export function decodeTree(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
  protocol: string = 'ethernet',
  around?: Context,
): TreeNode[] {
  const layers: TreeNode[] = [];
  const seen = new Map<string, number>();
  const numbered = (name: string): string => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}#${count}`;
  };
  const rest = walkLayers(
    bytes,
    offset,
    end,
    protocol,
    (codec, at, layerEnd, context) => {
      const { summary, length, fields, problem, next } = codec.dissect(bytes, at, layerEnd, context);
      layers.push({
        name: numbered(codec.name),
        label: codec.label,
        offset: at,
        length: Math.min(length, layerEnd - at),
        text: summary,
        children: fields,
        ...(problem === undefined ? {} : { note: describeError(problem) }),
      });
      return next === undefined ? { length } : { length, next };
    },
    (at, length, what) => layers.push(bytesNode(numbered('gap'), what ?? 'Not decoded', bytes, at, length)),
    around,
  );
  if (rest.offset < rest.end) layers.push(payloadNode(rest.name, bytes, rest.offset, rest.end - rest.offset));
  if (rest.end < end) layers.push(bytesNode('padding', 'Padding', bytes, rest.end, end - rest.end));
  return layers;
}

function payloadNode(name: string, bytes: Uint8Array, at: number, length: number): TreeNode {
  if (name === 'padding') return bytesNode('padding', 'Padding', bytes, at, length);
  if (name === 'fragment') return bytesNode('payload', 'Data of a later fragment', bytes, at, length);
  return bytesNode('payload', 'Payload', bytes, at, length);
}

/**
 * The tree in Wireshark's layout, a line per node, without colour:
 *
 * ```
 * Internet Protocol Version 4, 10.0.0.1 → 10.0.0.2
 *     0100 .... = Version: 4
 *     Header Checksum: 0x1234 [should be 0x66c7]
 * ```
 */
export function treeToText(layers: readonly TreeNode[]): string {
  const lines: string[] = [];
  for (const layer of layers) {
    const note = layer.note === undefined ? '' : ` [${layer.note}]`;
    // A broken layer's summary is its error; once is enough.
    const summary = layer.text === layer.note ? '' : `, ${layer.text}`;
    lines.push(`${layer.label}${summary}${note}`);
    addLines(layer.children, 1, lines);
  }
  return lines.join('\n');
}

function addLines(nodes: readonly TreeNode[], depth: number, lines: string[]): void {
  const indent = '    '.repeat(depth);
  for (const node of nodes) {
    const bits = node.bits === undefined ? '' : `${node.bits} = `;
    const text = node.text === '' ? '' : `: ${node.text}`;
    const note = node.note === undefined ? '' : ` [${node.note}]`;
    lines.push(`${indent}${bits}${node.label}${text}${note}`);
    addLines(node.children, depth + 1, lines);
  }
}
