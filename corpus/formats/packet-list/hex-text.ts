/** Hexadecimal text: a packet a line; read, too: dumps with offsets, as `xxd`, `hexdump -C`, `tcpdump -xx` and Wireshark print them. */
import { readU16, toHex } from '../../../sim/packet/bytes.ts';
import { InputError } from '../../../sim/runtime/input-error.ts';
import { bytesOfRow, type DumpLayout, type DumpRow, dumpRow } from './dump-row.ts';
import { type ListedPacket, MAX_PACKET, type PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, checked, commentText } from './text-bytes.ts';

function write(packets: readonly ListedPacket[]): string {
  return packets
    .map(({ packet, description }) =>
      description === undefined ? `${toHex(packet)}\n` : `# ${commentText(description)}\n${toHex(packet)}\n`,
    )
    .join('');
}

function read(text: string): ListedPacket[] {
  return new Reader(text).read();
}

/** A line before each packet that says what it is, as `tcpdump` prints them; with `-v` there are more. */
const TCPDUMP = /^\s*0x0000:\s/m;

class Reader {
  private readonly lines: readonly string[];
  private readonly isTcpdump: boolean;
  private readonly packets: ListedPacket[] = [];
  private description: string | undefined;
  /** The dump that is being read. */
  private dump: number[] = [];
  private layout: DumpLayout = { column: 0 };
  private lastRow: readonly number[] = [];
  /** Do rows follow that are as the last one, for which `*` stands? */
  private isSqueezed = false;

  constructor(text: string) {
    this.lines = text.split(/\r?\n/);
    this.isTcpdump = TCPDUMP.test(text);
  }

  read(): ListedPacket[] {
    for (let index = 0; index < this.lines.length; index++) this.line(index);
    this.finish(this.lines.length);
    return this.packets;
  }

  private line(index: number): void {
    const line = this.lines[index]!;
    const comment = /^\s*(?:#|\/\/)\s*(.*)$/.exec(line);
    if (comment !== null || line.trim() === '') {
      this.finish(index);
      if (comment !== null) this.description = comment[1];
      return;
    }
    if (line.trim() === '*' && this.dump.length > 0) {
      this.isSqueezed = true;
      return;
    }
    if (this.row(index)) return;
    this.finish(index);
    if (this.isTcpdump && /[^0-9a-fA-F\s:]/.test(line)) this.summary(index);
    else this.add(bytesOfHex(line.replace(/(#|\/\/).*$/, ''), `line ${index + 1}`));
  }

  /** @returns whether the line belongs to a dump */
  private row(index: number): boolean {
    const row = dumpRow(this.lines[index]!);
    if (row === undefined) return false;
    if (row.offset === 0) this.finish(index);
    const wasSqueezed = this.isSqueezed;
    if (wasSqueezed) this.repeat(row.offset);
    const isNext = row.offset === this.dump.length;
    if (row.pairs.length === 0) {
      // Digits without blanks are bytes, unless they say where the dump ends.
      if (isNext && this.dump.length > 0) this.finish(index);
      else if (wasSqueezed) this.refuse(row, index);
      else return false;
      return true;
    }
    const next = index + 1 < this.lines.length ? dumpRow(this.lines[index + 1]!) : undefined;
    const bytes = bytesOfRow(row, next, this.layout);
    if (bytes === undefined) return false;
    // The first line of a plain packet may look like one of a dump.
    if (!isNext && this.dump.length === 0) return false;
    if (!isNext) this.refuse(row, index);
    this.dump.push(...bytes);
    this.lastRow = bytes;
    return true;
  }

  /** Fills in rows as the last one up to an offset. */
  private repeat(to: number): void {
    if (to > MAX_PACKET) return;
    while (this.dump.length < to) this.dump.push(...this.lastRow);
    this.isSqueezed = false;
  }

  private refuse({ digits }: DumpRow, index: number): never {
    throw new InputError(
      `line ${index + 1}: expected the offset 0x${this.dump.length.toString(16)}, found 0x${digits}`,
    );
  }

  private summary(index: number): void {
    const before = index === 0 ? undefined : this.description;
    const line = this.lines[index]!.trim();
    this.description = before === undefined ? line : `${before} ${line}`;
  }

  private add(packet: Uint8Array): void {
    const { description } = this;
    this.packets.push({ packet, ...(description === undefined ? {} : { description }) });
    this.description = undefined;
  }

  private finish(line: number): void {
    const { dump } = this;
    if (dump.length === 0) return;
    const place = `line ${line}`;
    if (this.isSqueezed)
      throw new InputError(`${place}: expected an offset behind *, which says up to where`);
    const packet = checked(Uint8Array.from(dump), place);
    if (this.isTcpdump && isIpPacket(packet))
      throw new InputError(
        `${place}: this packet begins with IP: print what is in front of it, too, with tcpdump -xx or -XX`,
      );
    this.add(packet);
    this.dump = [];
    this.layout = { column: 0 };
  }
}

/** What the shortest Ethernet frame carries. */
const PADDED = 46;

/** Is it an IP packet without anything in front, perhaps padded? */
function isIpPacket(bytes: Uint8Array): boolean {
  if (bytes.length < 20) return false;
  const [version, least] = [bytes[0]! >> 4, bytes[0]! & 15];
  const size = version === 4 && least >= 5 ? readU16(bytes, 2) : version === 6 ? 40 + readU16(bytes, 4) : 0;
  return size > 0 && (size === bytes.length || (size < PADDED && bytes.length === PADDED));
}

export const HEX_TEXT: PacketListFormat = {
  endings: ['.hex', '.txt'],
  label: 'hexadecimal text',
  write,
  read,
};
