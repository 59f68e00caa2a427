/** Extension headers of GTP-U (3GPP TS 29.281 §5.2): a length in words of 4 bytes, content, and the type of the one behind. */
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

/** Of 5G: which flow of a session a packet belongs to (3GPP TS 38.415 §5.5.2). */
export const PDU_SESSION_CONTAINER = 0x85;

const NAMES: Readonly<Record<number, string>> = {
  0: 'none',
  3: 'long PDCP PDU number',
  32: 'service class indicator',
  64: 'UDP port',
  129: 'RAN container',
  130: 'long PDCP PDU number',
  131: 'Xw RAN container',
  132: 'NR RAN container',
  133: 'PDU session container',
  192: 'PDCP PDU number',
};

export function extensionName(type: number): string | undefined {
  return NAMES[type];
}

/** Bytes of the extension header at `at`; 0 where it is none, or cut off. */
export function extensionSize(bytes: Uint8Array, at: number, end: number): number {
  const size = at < end ? bytes[at]! * 4 : 0;
  return at + size > end ? 0 : size;
}

/** Where the packet starts behind its extension headers; −1 where one of them is none, or cut off. */
export function extensionsEnd(bytes: Uint8Array, start: number, end: number, first: number): number {
  let type = first;
  let at = start;
  while (type !== 0) {
    const size = extensionSize(bytes, at, end);
    if (size === 0) return -1;
    at += size;
    type = bytes[at - 1]!;
  }
  return at;
}

/** The extension headers as their bytes stand; the type of the first one stands in front of them, in the header. */
export const GTPU_EXTENSIONS: Tail<'extensions', Uint8Array> = {
  name: 'extensions',
  preset: new Uint8Array(0),
  offset: 0,
  decode: (bytes, at, end) => bytes.slice(at, end),
  encode: (value) => value,
  dissect: (bytes, offset, end) => {
    const nodes: TreeNode[] = [];
    let type = offset < end ? bytes[offset - 1]! : 0;
    for (let at = offset; at < end; ) {
      const length = extensionSize(bytes, at, end);
      nodes.push(extensionNode(bytes, at, length, type, nodes.length + 1));
      if (length === 0) break;
      at += length;
      type = bytes[at - 1]!;
    }
    return nodes;
  },
};

function extensionNode(bytes: Uint8Array, at: number, length: number, type: number, count: number): TreeNode {
  const label = `Extension header: ${extensionName(type) ?? `type 0x${type.toString(16).padStart(2, '0')}`}`;
  const { text, ...node } = bytesNode(`extension${count}`, label, bytes, at, length);
  return { ...node, text: type === PDU_SESSION_CONTAINER ? sessionText(bytes, at) : text };
}

/** Downlink: the sixth bit in front of the flow is for reflective quality of service, the seventh for a paging policy. */
function sessionText(bytes: Uint8Array, at: number): string {
  const type = bytes[at + 1]! >> 4;
  const direction = type === 0 ? 'downlink' : type === 1 ? 'uplink' : `type ${type}`;
  return `${direction}, QoS flow ${bytes[at + 2]! & 0x3f}`;
}
