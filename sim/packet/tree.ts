/**
 * A frame as a tree of layers and fields, each with its range of bytes: what explanations are made of. Any bytes
 * make a tree; what cannot be decoded becomes a node that says why.
 */
import { describeError } from './decoding.ts';
import { bytesNode, type Context, type TreeNode } from './dissection.ts';
import { followingProtocol, protocolByName } from './protocols.ts';

export type { TreeNode } from './dissection.ts';

/** No packet nests as deep as this, but hostile ones would like to. */
const MAX_LAYERS = 64;

/**
 * The layers of a frame in order, outermost first, as siblings; their fields are their children.
 *
 * A layer that occurs again gets a number: `ipv4`, `ipv4#2`. Bytes behind the last layer are `payload`, bytes
 * behind the IP packet `padding`.
 * @param protocol what the first byte belongs to, a name of the register
 */
export function decodeTree(
  bytes: Uint8Array,
  offset: number = 0,
  end: number = bytes.length,
  protocol: string = 'ethernet',
): TreeNode[] {
  const layers: TreeNode[] = [];
  const seen = new Map<string, number>();
  let at = offset;
  let layerEnd = end;
  let name = protocol;
  let context: Context = {};
  while (at < layerEnd && layers.length < MAX_LAYERS) {
    const codec = protocolByName(name);
    if (codec === undefined) {
      layers.push(payloadNode(name, bytes, at, layerEnd - at));
      at = layerEnd;
      break;
    }
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const { summary, length, fields, problem, next } = codec.dissect(bytes, at, layerEnd, context);
    layers.push({
      name: count === 1 ? name : `${name}#${count}`,
      label: codec.label,
      offset: at,
      length: Math.min(length, layerEnd - at),
      text: summary,
      children: fields,
      ...(problem === undefined ? {} : { note: describeError(problem) }),
    });
    at += Math.min(length, layerEnd - at);
    if (next === undefined) break;
    layerEnd = next.end;
    name = followingProtocol(next);
    const gap = Math.min(next.offset, layerEnd) - at;
    if (gap > 0) {
      const gaps = (seen.get('gap') ?? 0) + 1;
      seen.set('gap', gaps);
      const gapName = gaps === 1 ? 'gap' : `gap#${gaps}`;
      layers.push(bytesNode(gapName, next.gap ?? 'Not decoded', bytes, at, gap));
      at += gap;
    }
    context = next.context ?? {};
  }
  if (at < layerEnd) layers.push(payloadNode('data', bytes, at, layerEnd - at));
  if (layerEnd < end) layers.push(bytesNode('padding', 'Padding', bytes, layerEnd, end - layerEnd));
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
