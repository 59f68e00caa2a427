/** Hexadecimal text: a packet a line; read, too: dumps with offsets, as `xxd`, `hexdump -C`, `tcpdump -xx` and Wireshark print them. */
import { toHex } from '../../../sim/packet/bytes.ts';
import { InputError } from '../../../sim/runtime/input-error.ts';
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, checked, commentText } from './text-bytes.ts';

function write(packets: readonly ListedPacket[]): string {
  return packets
    .map(({ packet, description }) =>
      description === undefined ? `${toHex(packet)}\n` : `# ${commentText(description)}\n${toHex(packet)}\n`,
    )
    .join('');
}

/** An offset, then bytes in groups, then perhaps the same as text. */
const DUMP =
  /^\s*(?:0x)?([0-9a-fA-F]{4,8}):?\s+((?:[0-9a-fA-F]{2}){1,8}(?:\s{1,2}(?:[0-9a-fA-F]{2}){1,8})*)(?:\s{2,}.*|\s+\|.*)?\s*$/;

function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  let dump: number[] = [];
  let description: string | undefined;
  const add = (packet: Uint8Array): void => {
    packets.push({ packet, ...(description === undefined ? {} : { description }) });
    description = undefined;
  };
  const finish = (line: number): void => {
    if (dump.length > 0) add(checked(Uint8Array.from(dump), `line ${line}`));
    dump = [];
  };
  const lines = text.split(/\r?\n/);
  lines.forEach((line, index) => {
    const place = `line ${index + 1}`;
    const comment = /^\s*(?:#|\/\/)\s*(.*)$/.exec(line);
    if (comment !== null || line.trim() === '') {
      finish(index);
      if (comment !== null) description = comment[1];
      return;
    }
    const [, offset, bytes] = DUMP.exec(line) ?? [];
    // Digits without blanks are bytes, not an offset alone.
    if (offset !== undefined && bytes !== undefined) {
      const at = Number.parseInt(offset, 16);
      if (at === 0) finish(index);
      // The first line of a plain packet may look like one of a dump.
      if (at === dump.length) {
        dump.push(...bytesOfHex(bytes, place));
        return;
      }
      if (dump.length > 0)
        throw new InputError(
          `${place}: expected the offset 0x${dump.length.toString(16)}, found 0x${offset}`,
        );
    }
    finish(index);
    add(bytesOfHex(line.replace(/(#|\/\/).*$/, ''), place));
  });
  finish(lines.length);
  return packets;
}

export const HEX_TEXT: PacketListFormat = {
  endings: ['.hex', '.txt'],
  label: 'hexadecimal text',
  write,
  read,
};
