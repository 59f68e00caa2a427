import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressFromText,
  addressToText,
  firstAddress,
  inPrefix,
  ipv4FromText,
  ipv4ToText,
  ipv6FromText,
  ipv6ToText,
  isGroupMac,
  isMulticast4,
  isMulticast6,
  lastAddress,
  macFromText,
  macToText,
  prefixFromText,
  prefixToText,
} from './addresses.ts';
import { fromHex, toHex } from './bytes.ts';
import { bytesOf } from './test-support/arbitraries.ts';

describe('MAC addresses', () => {
  it('read back what they wrote', () => {
    fc.assert(
      fc.property(bytesOf(6), (bytes) => {
        expect(macFromText(macToText(bytes))).toEqual(bytes);
      }),
    );
  });

  it('take dashes and single digits, and nothing mixed or short', () => {
    expect(toHex(macFromText('2-0-0-0-A-ff'))).toBe('020000000aff');
    for (const text of [
      '',
      '02:00:00:00:00',
      '02:00:00-00:00:01',
      '02:00:00:00:00:001',
      '02:00:00:00:00:0g',
    ]) {
      expect(() => macFromText(text), text).toThrow(SyntaxError);
    }
  });

  it('know groups by the lowest bit of the first byte', () => {
    expect(isGroupMac(Uint8Array.of(0x01), 0)).toBe(true);
    expect(isGroupMac(Uint8Array.of(0xff), 0)).toBe(true);
    expect(isGroupMac(Uint8Array.of(0x02), 0)).toBe(false);
  });
});

describe('IPv4 addresses', () => {
  it('read back what they wrote', () => {
    fc.assert(
      fc.property(bytesOf(4), (bytes) => {
        expect(ipv4FromText(ipv4ToText(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['1.2.3', '3 parts'],
    ['1.2.3.4.5', '5 parts'],
    ['1.2.3.256', '256 is above 255'],
    ['01.2.3.4', 'leading zero'],
    ['1.2.3.0x4', 'decimal'],
    ['1.2.3.', 'decimal'],
    ['1.2.3.-4', 'decimal'],
    [' 1.2.3.4', 'decimal'],
  ])('refuse %s: %s', (text, problem) => {
    expect(() => ipv4FromText(text)).toThrow(problem);
  });
});

describe('IPv6 addresses', () => {
  it.each([
    // RFC 5952 §4.1 to §5 and RFC 4291 §2.2
    ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::ABCD', '2001:db8::abcd'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::FFFF:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
    ['1::2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ])('write %s as %s', (text, canonical) => {
    expect(ipv6ToText(ipv6FromText(text))).toBe(canonical);
  });

  it.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    ':1::',
    '1:',
    '::1%eth0',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    ' ::1',
  ])('refuse "%s"', (text) => {
    expect(() => ipv6FromText(text)).toThrow(SyntaxError);
  });

  it('read back what they wrote, which Node takes as an address as well', () => {
    fc.assert(
      fc.property(bytesOf(16), (bytes) => {
        const text = ipv6ToText(bytes);
        expect(isIP(text)).toBe(6);
        expect(text).toBe(text.toLowerCase());
        expect(ipv6FromText(text)).toEqual(bytes);
      }),
    );
  });

  it('refuse exactly what Node refuses, zones apart', () => {
    const characters = fc.constantFrom('0', '1', 'f', 'a0', ':', '::', '.', '1.2.3.4', 'ffff', ':0:', '255');
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 12, size: 'max' }), (parts) => {
        const text = parts.join('');
        const accepts = (): boolean => {
          try {
            ipv6FromText(text);
            return true;
          } catch (error) {
            expect(error).toBeInstanceOf(SyntaxError);
            return false;
          }
        };
        expect(accepts(), text).toBe(isIP(text) === 6);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('prefixes', () => {
  it('keep the bits behind the length, and default to the whole address', () => {
    expect(prefixToText(prefixFromText('10.11.1.1/24'))).toBe('10.11.1.1/24');
    expect(prefixToText(prefixFromText('fc00::1'))).toBe('fc00::1/128');
    expect(addressToText(addressFromText('10.0.0.1'))).toBe('10.0.0.1');
  });

  it.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/-1', '10.0.0.0/1.0', '/8'])(
    'refuse %s',
    (text) => {
      expect(() => prefixFromText(text)).toThrow(SyntaxError);
    },
  );

  it('hold the addresses that share their bits', () => {
    const bits = (bytes: Uint8Array, length: number): string =>
      [...bytes]
        .map((byte) => byte.toString(2).padStart(8, '0'))
        .join('')
        .slice(0, length);
    fc.assert(
      fc.property(bytesOf(4), fc.nat(32), fc.nat(32), (address, length, flipped) => {
        const other = address.slice();
        if (flipped < 32) other[flipped >> 3]! ^= 0x80 >> (flipped & 7);
        expect(inPrefix(other, 0, { address, length })).toBe(bits(other, length) === bits(address, length));
      }),
    );
  });

  it.each([
    ['10.11.12.13/0', '0.0.0.0', '255.255.255.255'],
    ['10.11.12.13/7', '10.0.0.0', '11.255.255.255'],
    ['10.11.12.13/8', '10.0.0.0', '10.255.255.255'],
    ['10.11.12.13/9', '10.0.0.0', '10.127.255.255'],
    ['10.139.12.13/9', '10.128.0.0', '10.255.255.255'],
    ['10.11.12.13/23', '10.11.12.0', '10.11.13.255'],
    ['10.11.12.13/31', '10.11.12.12', '10.11.12.13'],
    ['10.11.12.13/32', '10.11.12.13', '10.11.12.13'],
    ['fd01:2::3/17', 'fd01::', 'fd01:7fff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['fd01:2::3/127', 'fd01:2::2', 'fd01:2::3'],
  ])('%s are from %s to %s', (text, first, last) => {
    const prefix = prefixFromText(text);
    expect([addressToText(firstAddress(prefix)), addressToText(lastAddress(prefix))]).toEqual([first, last]);
    // The prefix itself is left as it is.
    expect(prefixToText(prefix)).toBe(text);
  });

  it('name what is wrong with them', () => {
    for (const [text, most] of [
      ['10.0.0.0/33', 32],
      ['::/129', 128],
    ] as const)
      expect(() => prefixFromText(text)).toThrow(`(the length behind "/" is a number from 0 to ${most})`);
    expect([
      prefixFromText('10.0.0.0/32').length,
      prefixFromText('::/128').length,
      prefixFromText('::1').length,
    ]).toEqual([32, 128, 128]);
  });

  it('are read at any place of longer bytes', () => {
    const bytes = fromHex('ffff 0a0b0c0d 020000000001 fc000000000000000000000000000001');
    expect([ipv4ToText(bytes, 2), macToText(bytes, 6), ipv6ToText(bytes, 12)]).toEqual([
      '10.11.12.13',
      '02:00:00:00:00:01',
      'fc00::1',
    ]);
    expect(inPrefix(bytes, 2, prefixFromText('10.11.0.0/17'))).toBe(true);
    expect(inPrefix(bytes, 1, prefixFromText('10.11.0.0/17'))).toBe(false);
    expect(ipv6ToText(fromHex(`ff ${'00'.repeat(10)} ffff 0a000001`), 1)).toBe('::ffff:10.0.0.1');
  });

  it('know multicast', () => {
    expect([isMulticast4(fromHex('e0000001'), 0), isMulticast4(fromHex('efffffff'), 0)]).toEqual([
      true,
      true,
    ]);
    expect([isMulticast4(fromHex('f0000001'), 0), isMulticast4(fromHex('dfffffff'), 0)]).toEqual([
      false,
      false,
    ]);
    expect([isMulticast6(fromHex('ff02'), 0), isMulticast6(fromHex('fe80'), 0)]).toEqual([true, false]);
  });
});
