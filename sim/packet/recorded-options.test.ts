/**
 * Options of every kind in lengths from nothing to more than fits, as they read; what a datagram on ports that say nothing is
 * taken for; and which addresses a checksum is computed with behind IPv6's extension headers. Recorded as text.
 */
import { expect, it } from 'vitest';
import { fingerprint } from '../../verify/test-support/recorded.ts';
import { IPOPT } from './ipv4-options.ts';
import { IPV6_OPTION } from './ipv6-options.ts';
import { looksLikeTunnel } from './looks-like.ts';
import { TCPOPT } from './tcp-options.ts';
import { decodeTree, treeToText } from './tree.ts';
import { layersOf } from './walk-layers.ts';

const LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17, 18, 19, 24, 26, 34, 38, 40];

/** An option whose data counts up, behind a NOP, with what its length field says. */
function option(kind: number, dataLength: number, stated: number = dataLength + 2): number[] {
  return [1, kind, stated, ...Array.from({ length: dataLength }, (_, index) => 4 + index)];
}

/** Padded to 32-bit words, up to `most`. */
function padded(bytes: readonly number[], most: number): number[] {
  const size = Math.min(most, Math.ceil(bytes.length / 4) * 4);
  return Array.from({ length: size }, (_, index) => bytes[index] ?? 0);
}

function ipv4With(options: readonly number[]): Uint8Array {
  const body = padded(options, 40);
  const length = 20 + body.length;
  return Uint8Array.from([
    ...[0x40 | (length / 4), 0, 0, length + 8, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    ...body,
    ...[0, 7, 0, 53, 0, 8, 0, 0],
  ]);
}

function tcpWith(options: readonly number[]): Uint8Array {
  const body = padded(options, 40);
  const words = (20 + body.length) / 4;
  return Uint8Array.from([
    ...[0, 80, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 2, words << 4, 0x18, 1, 0, 0, 0, 0, 0],
    ...body,
    ...[0x68, 0x69],
  ]);
}

/** UDP behind one extension header, whose body begins with `body`. */
function ipv6With(next: number, body: readonly number[]): Uint8Array {
  const size = Math.ceil((body.length + 2) / 8) * 8;
  const address = (last: number): number[] => [0xfc, ...Array<number>(14).fill(0), last];
  return Uint8Array.from([
    ...[0x60, 0, 0, 0, 0, size + 8, next, 64, ...address(1), ...address(2)],
    ...Array.from({ length: size }, (_, index) => [17, size / 8 - 1, ...body][index] ?? 0),
    ...[0, 7, 0, 53, 0, 8, 0xf9, 0xab],
  ]);
}

const text = (bytes: Uint8Array, protocol: string): string =>
  treeToText(decodeTree(bytes, 0, bytes.length, protocol));

/** The first line that names an option's kind, and what is below it; the frame's other lines are always the same. */
function optionLines(bytes: Uint8Array, protocol: string): string[] {
  const lines = text(bytes, protocol).split('\n');
  return lines.slice(lines.findIndex((line) => /option/i.test(line)));
}

function sections(
  kinds: readonly number[],
  frameOf: (kind: number, length: number) => Uint8Array,
  protocol: string,
): string {
  const lines: string[] = [];
  for (const kind of kinds) {
    const all: string[] = [];
    for (const length of LENGTHS) {
      const frame = frameOf(kind, length);
      all.push(text(frame, protocol));
      if (length < 5 || length === 16)
        lines.push(`## ${kind}, ${length} bytes`, ...optionLines(frame, protocol));
    }
    lines.push(`${kind}: ${fingerprint(`${protocol} option ${kind}`, all)}`);
  }
  return `${lines.join('\n')}\n`;
}

it('IPv4', async () => {
  const kinds = [...Object.values(IPOPT), 77];
  await expect(sections(kinds, (kind, length) => ipv4With(option(kind, length)), 'ipv4')).toMatchFileSnapshot(
    'recorded/options-ipv4.txt',
  );
});

it('TCP', async () => {
  const kinds = [...Object.values(TCPOPT), 77];
  await expect(sections(kinds, (kind, length) => tcpWith(option(kind, length)), 'tcp')).toMatchFileSnapshot(
    'recorded/options-tcp.txt',
  );
});

const IPV6_KINDS = [...Object.values(IPV6_OPTION), 0x1e, 0x5e, 0x9e, 0xde];

it.each([
  ['hop-by-hop', 0],
  ['destination', 60],
])('IPv6, %s', async (name, header) => {
  const frameOf = (kind: number, length: number): Uint8Array =>
    ipv6With(header, option(kind, length, length).slice(1));
  await expect(sections(IPV6_KINDS, frameOf, 'ipv6')).toMatchFileSnapshot(`recorded/options-${name}.txt`);
});

it('option lengths that are not true', async () => {
  const lines = [0, 1, 2, 3, 9, 40, 255].flatMap((stated) => [
    `## ${stated}`,
    ...optionLines(ipv4With(option(IPOPT.RR, 5, stated)), 'ipv4'),
    ...optionLines(tcpWith(option(TCPOPT.MSS, 2, stated)), 'tcp'),
    ...optionLines(ipv6With(60, option(IPV6_OPTION.PADN, 4, stated).slice(1)), 'ipv6'),
  ]);
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/options-untrue.txt');
});

it('addresses of the pseudo-header, behind routing headers and home addresses', async () => {
  const lines: string[] = [];
  const row = (name: string, bytes: Uint8Array): void => {
    const last = layersOf(bytes, 0, bytes.length, 'ipv6').at(-1)!;
    lines.push(
      `${name}: ${last.name}, ${text(bytes, 'ipv6')
        .split('\n')
        .filter((line) => /checksum/i.test(line))}`,
    );
  };
  for (const length of [15, 16, 17])
    for (const before of [[], [0], [1, 2, 0, 0], [1, 4, 0, 0, 0, 0]])
      row(
        `home address of ${length} after ${before.length}`,
        ipv6With(60, [...before, ...option(0xc9, length, length).slice(1)]),
      );
  for (const type of [0, 1, 2, 3, 4, 77])
    for (const left of [0, 1, 2, 3])
      for (const addresses of [0, 1, 2])
        row(
          `routing ${type}, ${left} of ${addresses} left`,
          ipv6With(43, [
            type,
            left,
            addresses === 0 ? 0 : addresses - 1,
            0,
            0,
            0,
            ...Array.from({ length: 16 * addresses }, (_, index) => index),
          ]),
        );
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/pseudo-addresses.txt');
});

it('datagrams on ports that say nothing', async () => {
  const frame = [...Array<number>(12).fill(2), 8, 0];
  const four = [...ipv4With([])];
  const six = [...ipv6With(60, [1, 4])];
  const arp = [...Array<number>(12).fill(2), 8, 6, 0, 1, 8, 0, 6, 4, ...Array<number>(22).fill(1)];
  const inner: Readonly<Record<string, readonly number[]>> = {
    nothing: [],
    text: Array<number>(40).fill(0x61),
    ipv4: four,
    ipv6: six,
    'a frame of ipv4': [...frame, ...four],
    'a frame of ipv6': [...frame.slice(0, 12), 0x86, 0xdd, ...six],
    'a tagged frame': [...frame.slice(0, 12), 0x81, 0, 0, 5, 8, 0, ...four],
    'a frame of arp': arp,
    'a frame of arp, cut short': arp.slice(0, 43),
  };
  const lines: string[] = [];
  for (const [name, bytes] of Object.entries(inner)) {
    const whole = Uint8Array.from(bytes);
    lines.push(`${name}: ${looksLikeTunnel(whole, 0, whole.length)}`);
    for (const first of [0, 4, 8, 9, 12])
      for (const next of [0, 1, 2, 3, 4]) {
        const told = [
          [first, 0, 0, next, 0, 0, 9, 0],
          [first, 1, 0, next, 0, 0, 9, 0],
          [first, 0, 1, next, 0, 0, 9, 0],
          [first, 0, 0, next, 0, 0, 9, 1],
        ].map((header) => {
          const datagram = Uint8Array.from([...header, ...bytes]);
          return looksLikeTunnel(datagram, 0, datagram.length);
        });
        if (told.some((one) => one !== 'data')) lines.push(`  ${first} ${next}: ${told}`);
      }
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/looks-like.txt');
});
