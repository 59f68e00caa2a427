import { describe, expect, it } from 'vitest';
import { hexdump } from './hexdump.ts';

const bytes = Uint8Array.from({ length: 20 }, (_, index) => index + 0x3a);

describe('a hex dump', () => {
  it('looks like hexdump -C', () => {
    expect(hexdump(bytes)).toBe(
      [
        '00000000  3a 3b 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  |:;<=>?@ABCDEFGHI|',
        '00000010  4a 4b 4c 4d                                       |JKLM|',
        '00000014',
      ].join('\n'),
    );
    expect(hexdump(Uint8Array.of(0x1f, 0x20, 0x7e, 0x7f, 0xff))).toContain('|. ~..|');
    expect(hexdump(new Uint8Array(0))).toBe('');
  });

  it('marks bytes without colour, in a line of their own', () => {
    expect(hexdump(bytes, { marked: [{ from: 7, to: 9 }] }).split('\n')[1]).toBe(`${' '.repeat(31)}^^  ^^`);
    expect(hexdump(bytes, { marked: [{ from: 16, to: 17 }] }).split('\n')).toEqual([
      expect.stringContaining('3a 3b'),
      expect.stringContaining('4a 4b'),
      '          ^^',
      '00000014',
    ]);
  });

  it('leaves out what has no marks of packets that are too long to read', () => {
    const long = new Uint8Array(65_536);
    const lines = hexdump(long, { marked: [{ from: 5000, to: 5002 }], maxLines: 8 }).split('\n');
    expect(lines.map((line) => line.slice(0, 30))).toEqual([
      '00000000  00 00 00 00 00 00 00',
      '00000010  00 00 00 00 00 00 00',
      '00000020  00 00 00 00 00 00 00',
      '00000030  00 00 00 00 00 00 00',
      '          … 4912 bytes left ou',
      '00001370  00 00 00 00 00 00 00',
      '00001380  00 00 00 00 00 00 00',
      ' '.repeat(30),
      '00001390  00 00 00 00 00 00 00',
      '          … 60496 bytes left o',
      '0000fff0  00 00 00 00 00 00 00',
      '00010000',
    ]);
    expect(hexdump(new Uint8Array(128), { maxLines: 8 }).split('\n')).toHaveLength(9);
  });

  it('shows the first half of so many lines, the last one, and those around marks', () => {
    const offsets = (length: number, maxLines: number, ...marked: [from: number, to: number][]): string[] =>
      hexdump(new Uint8Array(length), { maxLines, marked: marked.map(([from, to]) => ({ from, to })) })
        .split('\n')
        .filter((line) => !line.includes('^'))
        .map((line) =>
          line
            .replace(/^0+(?=[0-9a-f])/, '')
            .replace(/ .*\|$/, '')
            .trim(),
        );
    expect(offsets(64, 4)).toEqual(['0', '10', '20', '30', '40']);
    expect(offsets(65, 4)).toEqual(['0', '10', '… 32 bytes left out', '40', '41']);
    expect(offsets(80, 3)).toEqual(['0', '10', '… 32 bytes left out', '40', '50']);
    expect(offsets(160, 4, [0x48, 0x49])).toEqual([
      '0',
      '10',
      '… 16 bytes left out',
      '30',
      '40',
      '50',
      '… 48 bytes left out',
      '90',
      'a0',
    ]);
    expect(offsets(160, 4, [0x4f, 0x51])).toEqual([
      '0',
      '10',
      '… 16 bytes left out',
      '30',
      '40',
      '50',
      '60',
      '… 32 bytes left out',
      '90',
      'a0',
    ]);
    // Only the first four lines near marks.
    expect(offsets(320, 4, [0x48, 0x49], [0xa0, 0xa1])).toEqual([
      '0',
      '10',
      '… 16 bytes left out',
      '30',
      '40',
      '50',
      '… 48 bytes left out',
      '90',
      '… 144 bytes left out',
      '130',
      '140',
    ]);
  });

  it('marks bytes with a colour of the caller', () => {
    const painted = hexdump(bytes, { marked: [{ from: 1, to: 2 }], paint: (text) => `<${text}>` });
    expect(painted.split('\n')[0]).toBe(
      '00000000  3a <3b> 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  |:<;><=>?@ABCDEFGHI|',
    );
  });
});
