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

  /** 59 bytes, of which the last are the digits that they look like: "12345678". */
  const NUMBERS = fromHex(`${'02'.repeat(12)}0800${'31323334'.repeat(11)}35`);
  const dumped = (line: (offset: number, bytes: Uint8Array) => string): string => {
    let text = '';
    for (let at = 0; at < NUMBERS.length; at += 16) text += `${line(at, NUMBERS.subarray(at, at + 16))}\n`;
    return text;
  };
  const hexOf = (row: Uint8Array, group: number): string =>
    (
      Buffer.from(row)
        .toString('hex')
        .match(new RegExp(`.{1,${2 * group}}`, 'g')) ?? []
    ).join(' ');
  const offsetOf = (at: number, width: number): string => at.toString(16).padStart(width, '0');
  const asText = (row: Uint8Array): string =>
    Array.from(row, (byte) => (byte < 0x20 ? '.' : String.fromCharCode(byte))).join('');
  const half = (row: Uint8Array): string => `${hexOf(row.subarray(0, 8), 1)}  ${hexOf(row.subarray(8), 1)}`;

  it.each([
    ['xxd', (at, row) => `${offsetOf(at, 8)}: ${hexOf(row, 2).padEnd(39)}  ${asText(row)}`],
    ['xxd -g1', (at, row) => `${offsetOf(at, 8)}: ${hexOf(row, 1).padEnd(47)}  ${asText(row)}`],
    ['xxd -g4', (at, row) => `${offsetOf(at, 8)}: ${hexOf(row, 4).padEnd(35)}  ${asText(row)}`],
    ['hexdump -C', (at, row) => `${offsetOf(at, 8)}  ${half(row).padEnd(48)}  |${asText(row)}|`],
    ['tshark -x', (at, row) => `${offsetOf(at, 4)}  ${half(row).padEnd(48)}   ${asText(row)}`],
    ['tcpdump -XX', (at, row) => `\t0x${offsetOf(at, 4)}:  ${hexOf(row, 2).padEnd(39)}  ${asText(row)}`],
  ] as [string, (at: number, row: Uint8Array) => string][])('takes no text for bytes: %s', (_name, line) => {
    expect(bytes(dumped(line))).toEqual([NUMBERS]);
    expect(bytes(dumped(line) + dumped(line))).toEqual([NUMBERS, NUMBERS]);
  });

  it.each([
    ['hexdump -C', (at, row) => `${offsetOf(at, 8)}  ${half(row).padEnd(48)}  |${asText(row)}|`, '0000003b'],
    ['od -A x -t x1', (at, row) => `${offsetOf(at, 6)} ${hexOf(row, 1)}`, '00003b'],
  ] as [string, (at: number, row: Uint8Array) => string, string][])(
    'takes the offset behind the last row for no packet: %s',
    (_name, line, end) => {
      expect(bytes(`${dumped(line)}${end}\n`)).toEqual([NUMBERS]);
      expect(bytes(`${dumped(line)}${end}\n${dumped(line)}${end}`)).toEqual([NUMBERS, NUMBERS]);
    },
  );

  it('fills equal rows in', () => {
    const row = '0e '.repeat(16);
    const text = `00000000  ${'02 '.repeat(16)}\n00000010  ${row}\n*\n00000050  01 02\n00000052\n`;
    expect(bytes(text)).toEqual([fromHex(`${'02'.repeat(16)}${'0e'.repeat(64)}0102`)]);
    expect(bytes(`00000000  ${row}\n*\n00000040\n`)).toEqual([fromHex('0e'.repeat(64))]);
    expect(() => read(`00000000  ${row}\n*\n00000041\n`)).toThrow(
      'line 3: expected the offset 0x50, found 0x00000041',
    );
    expect(() => read(`00000000  ${row}\n*\n`)).toThrow('line 2: expected an offset behind *');
  });

  it('takes what tcpdump says of a packet for its description', () => {
    const rows = dumped((at, row) => `\t0x${offsetOf(at, 4)}:  ${hexOf(row, 2)}`);
    const short = `22:13:20.000000 IP 10.1.2.3.4000 > 192.0.2.77.9: UDP, length 17\n${rows}`;
    const long = `IP (tos 0x0, ttl 64)\n    10.1.2.3 > 192.0.2.77: ICMP echo\n${rows}`;
    expect(read(short + long)).toEqual([
      { packet: NUMBERS, description: '22:13:20.000000 IP 10.1.2.3.4000 > 192.0.2.77.9: UDP, length 17' },
      { packet: NUMBERS, description: 'IP (tos 0x0, ttl 64) 10.1.2.3 > 192.0.2.77: ICMP echo' },
    ]);
    expect(() =>
      read(
        'IP 10.0.0.1 > 10.0.0.2: x\n\t0x0000:  4500 0014 0000 0000 4001 0000 0a00 0001\n\t0x0010:  0a00 0002',
      ),
    ).toThrow('begins with IP');
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

  it.each([
    `Ether(dst='02:00:00:00:00:02')/IP()/Raw(load=b'hello')`,
    `p = IP(b"\\x45\\x00")`,
    `p = Ether()/b"hello"`,
    `p = Ether(b"\\x02\\x00")/Raw(b"x")`,
    `p = [b"\\x02\\x00" * 7]`,
    `p = b"\\x02\\x00" + b"x"`,
    `sock.send(b"\\x02")`,
    `if data == b"\\x02": pass`,
    `good = [Ether(b"\\x02\\x00")]\nbad = Ether(type=0x800)/IP()`,
  ])('no part of what Scapy has to evaluate: %s', (text) => {
    expect(() => PACKET_LISTS.scapy.read(text)).toThrow(/line \d: .*Scapy’s to evaluate.*wrpcap/);
  });

  it('bytes by themselves, in lists, in pieces', () => {
    const packets = (text: string): string[] =>
      PACKET_LISTS.scapy.read(text).map(({ packet }) => Buffer.from(packet).toString('hex'));
    expect(packets('RAW = [b"\\x02\\x00", b\'\\x03\',]\nps = [Ether(p) for p in RAW]')).toEqual([
      '0200',
      '03',
    ]);
    expect(
      packets('"""b"no" (""" # a ( b"no"\np = (b"\\x02"\n     b"\\x03")\nq = bytes.fromhex("04 05")'),
    ).toEqual(['0203', '0405']);
    expect(packets('sendp(Ether(b"\\x02"))\nb"\\x03"\nb"\\x04"\n')).toEqual(['02', '03', '04']);
    expect(packets('d = {"a": b"\\x02"}')).toEqual(['02']);
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
