import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../sim/packet/bytes.ts';
import { formatToWrite, listToRead, PACKET_LISTS, type PacketListName } from './index.ts';
import type { ListedPacket } from './listed-packet.ts';

const NAMES = Object.keys(PACKET_LISTS) as PacketListName[];
const ECHO = fromHex('02000000000106112233445508004500001c00000000400166ce0a0b01020a0b0101080000000000f7ff');

/** Frames: what a program is given has an Ethernet header at least. */
const frame = fc.uint8Array({ minLength: 14, maxLength: 300, size: 'max' });
const description = fc
  .string({ maxLength: 40 })
  .map((text) => text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, ' ').trim());
const listed = fc.record({ packet: frame, description }).map(
  ({ packet, description: text }): ListedPacket => ({
    packet,
    ...(text === '' ? {} : { description: text }),
  }),
);

describe.each(NAMES)('packets as %s', (name) => {
  const { read, write, endings } = PACKET_LISTS[name];

  it('are read as they were written, whatever their descriptions', () => {
    fc.assert(
      fc.property(fc.array(listed, { minLength: 1, maxLength: 4, size: 'max' }), (packets) => {
        const back = read(write(packets, { program: 'my.o' }));
        expect(back.map(({ packet }) => packet)).toEqual(packets.map(({ packet }) => packet));
      }),
      { seed: 12, numRuns: 300 },
    );
  });

  it.each([
    'XDP_TX',
    'XDP_DROP\u000f',
    '{ 0x02, 0x00 }',
    "{'a', 1}",
    '/* { 1 } // "',
    '["x", "0011"]',
    "b'ab'",
  ])('are the same behind a description like those of the format: %s', (text) => {
    const packets = [{ packet: ECHO, description: text }, { packet: ECHO }];
    expect(read(write(packets, { program: 'my.o' })).map(({ packet }) => packet)).toEqual([ECHO, ECHO]);
  });

  it('keep plain descriptions', () => {
    const packets = [
      { packet: ECHO, description: 'an echo request' },
      { packet: ECHO, description: 'again' },
    ];
    expect(read(write(packets, { program: 'my.o' }))).toEqual(packets);
  });

  it('are none in a text that holds none, or the text is refused', () => {
    let packets: readonly ListedPacket[] = [];
    try {
      packets = read('hello, world\n');
    } catch (error) {
      expect((error as Error).message).toMatch(/line 1|is not valid JSON/);
    }
    expect(packets).toEqual([]);
  });

  it('are known by the endings of files', () => {
    for (const ending of endings) {
      expect(formatToWrite(`dir.x/packets${ending}`)).toBe(name);
      expect(listToRead(`packets${ending.toUpperCase()}`)).toBe(name);
    }
  });
});

describe('formats by the endings of names', () => {
  it('are captures for theirs, for none, and for standard output', () => {
    expect(['a.pcapng', 'a.pcap', 'a', '-', './x.d/a', '.hidden'].map((path) => formatToWrite(path))).toEqual(
      ['pcapng', 'pcap', 'pcapng', 'pcapng', 'pcapng', 'pcapng'],
    );
    expect(formatToWrite('a.dat', 'scapy')).toBe('scapy');
    expect(listToRead('a.pcap.gz')).toBeUndefined();
  });

  it('are refused where nothing is known of them', () => {
    expect(() => formatToWrite('packets.pcapgn')).toThrow(
      'packets.pcapgn: no format of packets ends in .pcapgn; known are .pcapng, .pcap, .hex,',
    );
  });
});

describe('hexadecimal text', () => {
  const { read } = PACKET_LISTS.hex;
  const bytes = (text: string): Uint8Array[] => read(text).map(({ packet }) => packet);
  const digits = Array.from(ECHO, (byte) => byte.toString(16).padStart(2, '0'));

  it('takes what xxd, hexdump -C, tcpdump -xx and Wireshark print', () => {
    const rows = (line: (offset: number, row: readonly string[]) => string): string => {
      let text = '';
      for (let at = 0; at < digits.length; at += 16) text += `${line(at, digits.slice(at, at + 16))}\n`;
      return text;
    };
    const pairs = (row: readonly string[]): string => (row.join('').match(/.{1,4}/g) ?? []).join(' ');
    const hex = (offset: number, width: number): string => offset.toString(16).padStart(width, '0');
    const dumps = [
      rows((at, row) => `${hex(at, 8)}: ${pairs(row)}  ..some text.`),
      rows((at, row) => `${hex(at, 8)}  ${row.slice(0, 8).join(' ')}  ${row.slice(8).join(' ')}  |..text..|`),
      rows((at, row) => `\t0x${hex(at, 4)}:  ${pairs(row)}`),
      rows((at, row) => `${hex(at, 4)}  ${row.join(' ')}   ..text..`),
    ];
    for (const dump of dumps) {
      expect(bytes(dump), dump).toEqual([ECHO]);
      expect(bytes(`${dump}\n# the second\n${dump}`), dump).toEqual([ECHO, ECHO]);
    }
  });

  it('names the line that is wrong', () => {
    expect(() => read('0200\n02 0')).toThrow('line 2: an odd number of hexadecimal digits (3)');
    expect(() => read('0200\nzz')).toThrow('line 2: “z” is not a hexadecimal digit');
    expect(() => read('0000: 0200 0000\n0010: 0200')).toThrow(
      'line 2: expected the offset 0x4, found 0x0010',
    );
  });
});

describe('other people’s texts', () => {
  it('base64 pairs as in katran’s tests, with Scapy’s expressions in comments, in both of their forms', () => {
    const old = `const std::vector<std::pair<std::string, std::string>> inputTestFixtures = {
  //1
  {
    //Ether(src="0x1", dst="0x2")/"katran test pkt"
    "AgAAAAAAAQAAAAAACABFAAArAAEAAEARrU/AqAEBCsgBAXppAFAAF5fea2F0cmFuIHRlc3QgcGt0",
    "packet to UDP based v4 VIP (and v4 real)"
  },
};
const std::vector<std::pair<std::string, std::string>> outputTestFixtures = {
  {
    "AADerb6vAgAAAAAACABFAAA/AAAAAEAEWS2sEGhzCgAAA0UAACsAAQAA",
    "XDP_TX"
  },
};`;
    const young = `{.inputPacket = "AgAAAAAAAQAAAAAACABFAAArAAEAAEARrU/AqAEBCsgBAXppAFAAF5fea2F0cmFuIHRlc3QgcGt0",
     .description = "packet to UDP based v4 VIP (and v4 real)",
     .expectedReturnValue = "XDP_TX", .expectedOutputPacket = "AADerb6vAgAAAAAACABFAABHAAAAAEARWX8KAA0l"}`;
    for (const text of [old, young]) {
      const [packet, ...others] = PACKET_LISTS.base64.read(text);
      expect(others).toEqual([]);
      expect(packet!.description).toBe('packet to UDP based v4 VIP (and v4 real)');
      expect(packet!.packet.length).toBe(57);
    }
  });

  it('what Scapy’s raw() prints', () => {
    const text = 'p = Ether(b"\\x02\\x00\\x00\\x00\\x00\\x01\\x06\\x11\\x22\\x33DU\\x08\\x00E\\n\\\\")';
    expect(PACKET_LISTS.scapy.read(text)).toEqual([
      { packet: fromHex('020000000001061122334455080045' + '0a5c') },
    ]);
  });

  it('arrays of a C program, and no other initialisers', () => {
    const text = `
      /* an ARP request */
      unsigned char arp[] = { 0xff, 0xff, 255, 0, 1, 2, 3, };
      struct rule rules[] = { { .port = 80 }, { "x", 5 } }; // no packets
    `;
    expect(PACKET_LISTS.c.read(text)).toEqual([
      { packet: Uint8Array.of(255, 255, 255, 0, 1, 2, 3), description: 'an ARP request' },
    ]);
    expect(() => PACKET_LISTS.c.read('\nint a[] = { 1, 256 };')).toThrow('line 2: expected bytes, found 256');
  });
});
