import { describe, expect, it } from 'vitest';
import { packet } from './build.ts';
import { fromHex } from './bytes.ts';
import { finish, sum } from './checksum.ts';
import { ICMP_EXTENSION } from './icmp-extension.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { decodeTree } from './tree.ts';

describeProtocol(
  ICMP_EXTENSION,
  {
    wire: '2000 1234 0008 01 01 00064101',
    value: {
      reserved: 0,
      checksum: 0x1234,
      objects: [{ class: 1, subtype: 1, data: fromHex('00064101') }],
    },
  },
  {
    wire: '2000 0001 0003 01',
    value: { reserved: 0, checksum: 1, objects: [{ class: 'rest', data: fromHex('000301') }] },
  },
);

/** A label of MPLS; right: with its checksum. */
function structure(checksum?: number): Uint8Array {
  const bytes = fromHex('20000000000801010006 4101'.replaceAll(' ', ''));
  const field = checksum ?? finish(sum(bytes, 0, bytes.length));
  bytes.set([field >> 8, field & 0xff], 2);
  return bytes;
}

/** The packet that is quoted, zeros behind it. */
const quoted = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  bytes.set(packet.ipv4().udp().payload(new Uint8Array(20)).bytes());
  return bytes;
};

function layers(bytes: Uint8Array): string[] {
  return decodeTree(bytes)
    .filter(({ name }) => name !== 'ethernet')
    .map(({ name, offset, children }) => {
      const note = name === 'icmpext' ? `: ${children.find((child) => child.name === 'checksum')?.note}` : '';
      return `${name} at ${offset}${note}`;
    });
}

const error = (length: number, size: number, extension: Uint8Array): Uint8Array =>
  packet
    .ethernet()
    .ipv4()
    .icmp({ type: 11, body: { kind: 'unreachable', quotedLength: length } })
    .payload(Uint8Array.of(...quoted(size), ...extension))
    .bytes();

describe('the extensions of an ICMP message', () => {
  it('follow what an error quotes, as long as it says', () => {
    const found = layers(error(33, 132, structure()));
    expect(found.at(-1)).toBe('icmpext at 174: correct');
    expect(found).toContain('ipv4#2 at 42');
    expect(layers(error(33, 132, structure(0x1111))).at(-1)).toBe('icmpext at 174: should be 0x9def');
    expect(layers(error(33, 132, structure(0))).at(-1)).toBe('icmpext at 174: none');
  });

  it('stand behind 128 bytes of who states no length, if their checksum says so', () => {
    expect(layers(error(0, 128, structure())).at(-1)).toBe('icmpext at 170: correct');
    for (const checksum of [0, 0x1111])
      expect(layers(error(0, 128, structure(checksum))).join()).not.toContain('icmpext');
  });

  it('are none behind less than 128 bytes, or in another version', () => {
    expect(layers(error(16, 64, structure())).join()).not.toContain('icmpext');
    const other = structure();
    other[0] = 0x10;
    expect(layers(error(33, 132, other)).join()).not.toContain('icmpext');
  });

  it('are what an extended echo request asks with', () => {
    const asks = packet
      .ethernet()
      .ipv6()
      .icmpv6()
      .icmpext({ objects: [{ class: 3, subtype: 2, data: fromHex('00000001') }] });
    const found = layers(asks.bytes());
    expect(found.at(-1)).toBe('icmpext at 62: correct');
  });
});
