/** The Link Layer Discovery Protocol (IEEE 802.1AB §8): its list of type, length and value. */
import { readU16, toHex } from './bytes.ts';
import { protocol } from './declaration/declare.ts';
import type { ValueOf } from './declaration/protocol.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';
import { ETHERTYPE } from './numbers.ts';

const TYPES: Readonly<Record<number, string>> = {
  0: 'End of LLDPDU',
  1: 'Chassis ID',
  2: 'Port ID',
  3: 'Time to Live',
  4: 'Port Description',
  5: 'System Name',
  6: 'System Description',
  7: 'System Capabilities',
  8: 'Management Address',
  127: 'Organizationally specific',
};

export type LldpElement =
  | { readonly type: number; readonly data: Uint8Array }
  /** What stands behind the end, or is longer than what is there. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Bytes of type (7 bits) and length (9 bits). */
const HEAD = 2;
const MOST = 511;

const elements: Tail<'elements', readonly LldpElement[]> = {
  name: 'elements',
  preset: [{ type: 0, data: new Uint8Array(0) }],
  offset: 0,
  decode(bytes, offset, end) {
    const found: LldpElement[] = [];
    let at = offset;
    while (at < end) {
      const head = at + HEAD <= end ? readU16(bytes, at) : 0;
      const length = head & MOST;
      const isLast = found.at(-1)?.type === 0;
      if (isLast || at + HEAD + length > end) {
        found.push({ type: 'rest', data: bytes.slice(at, end) });
        break;
      }
      found.push({ type: head >> 9, data: bytes.slice(at + HEAD, at + HEAD + length) });
      at += HEAD + length;
    }
    return found;
  },
  encode(list) {
    const bytes: number[] = [];
    for (const { type, data } of list) {
      if (type !== 'rest') {
        if (data.length > MOST)
          throw new RangeError(`an LLDP element of ${data.length} bytes: at most ${MOST} fit`);
        const head = (type << 9) | data.length;
        bytes.push(head >> 8, head & 0xff);
      }
      bytes.push(...data);
    }
    return Uint8Array.from(bytes);
  },
  dissect(bytes, offset, end) {
    const nodes: TreeNode[] = [];
    let at = offset;
    for (const { type, data } of elements.decode(bytes, offset, end)) {
      const name = `element${nodes.length + 1}`;
      if (type === 'rest') {
        nodes.push(bytesNode(name, 'Behind the last element', bytes, at, end - at));
        break;
      }
      const length = HEAD + data.length;
      const label = TYPES[type] ?? `Type ${type}`;
      nodes.push({ name, label, offset: at, length, text: toHex(data), children: [] });
      at += length;
    }
    return nodes;
  },
};

export const LLDP = protocol({
  name: 'lldp',
  label: 'Link Layer Discovery Protocol',
  source: 'IEEE 802.1AB §8',
  fields: {},
  tail: elements,
  announcedBy: { etherType: [ETHERTYPE.LLDP] },
  summary: ({ elements: list }) => `${list.length} elements`,
  follow: () => undefined,
});

export type LldpHeader = ValueOf<typeof LLDP>;
