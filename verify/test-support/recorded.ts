/**
 * Records what code reports of many inputs: as text where a reader gains from it, as a fingerprint of all lines where they are
 * too many. A test compares the record with a file (`toMatchFileSnapshot`); `npx vitest run FILE -u` writes it anew.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * 12 hexadecimal digits and the number of lines. With `XDPSIM_RECORDED=DIRECTORY` the lines themselves are written there, so that
 * those of two versions can be compared.
 */
export function fingerprint(name: string, lines: readonly string[]): string {
  const directory = process.env.XDPSIM_RECORDED;
  if (directory !== undefined) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${name.replaceAll(/[^\w]+/g, '-')}.txt`), `${lines.join('\n')}\n`);
  }
  const digest = createHash('sha1').update(lines.join('\n')).digest('hex').slice(0, 12);
  return `${digest} of ${lines.length} lines`;
}

/** What each byte of a header becomes. */
const VALUES: readonly ((byte: number) => number)[] = [() => 0, (byte) => byte + 1, (byte) => byte ^ 0x11];

/** Where a frame's addresses end. */
const ADDRESSES = 12;

/** The packet with one byte changed, byte after byte behind the addresses, up to `most`; each change with its name. */
export function* changed(packet: Uint8Array, most = 110): Generator<[name: string, packet: Uint8Array]> {
  for (let at = ADDRESSES; at < Math.min(most, packet.length); at++) {
    const known = new Set([packet[at]!]);
    for (const value of VALUES) {
      const byte = value(packet[at]!) & 0xff;
      if (known.has(byte)) continue;
      known.add(byte);
      const copy = packet.slice();
      copy[at] = byte;
      yield [`${at}=${byte.toString(16)}`, copy];
    }
  }
}
