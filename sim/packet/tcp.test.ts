import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { TCP, tcpFlagNames } from './tcp.ts';
import { mssOption, TCP_OPTIONS } from './tcp-options.ts';
import { bytesOf } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const wire = '9c40 0050 12345678 9abcdef0 6a 52 fffe abcd 0102 020405b4';

describeProtocol(TCP, {
  wire,
  value: {
    sourcePort: 40000,
    destinationPort: 80,
    sequence: 0x12345678,
    acknowledgment: 0x9abcdef0,
    reserved: 0xa,
    flags: 0x52,
    window: 0xfffe,
    checksum: 0xabcd,
    urgentPointer: 0x0102,
    options: [mssOption(1460)],
  },
});

describe('tcp lengths', () => {
  it('rejects a data offset below 5 (RFC 9293 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[12] = 0x40;
    expect(TCP.decode(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'dataOffset', got: 4 },
    });
  });

  it('rejects a data offset beyond the bytes, and says that it lied', () => {
    const bytes = fromHex(wire);
    bytes[12] = 0xf0;
    expect(TCP.decode(bytes)).toMatchObject({ ok: false, error: { field: 'dataOffset', needed: 60 } });
  });
});

describe('tcp options', () => {
  it('give any bytes back as they were', () => {
    fc.assert(
      fc.property(
        fc.nat(10).chain((words) => bytesOf(words * 4)),
        (bytes) => {
          expect(toHex(TCP_OPTIONS.encode(TCP_OPTIONS.decode(bytes, 0, bytes.length)))).toBe(toHex(bytes));
        },
      ),
    );
  });

  it('refuse more than the data offset can count', () => {
    expect(() => TCP_OPTIONS.encode([{ type: 5, data: new Uint8Array(39) }])).toThrow(RangeError);
  });
});

describe('tcp flags', () => {
  it('are named in the order of their bits', () => {
    expect(tcpFlagNames(0x12)).toBe('SYN, ACK');
    expect(tcpFlagNames(0)).toBe('none');
  });
});
