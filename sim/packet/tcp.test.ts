import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from './bytes.ts';
import { decodeTcp, dissectTcp, encodeTcp, type TcpHeader, TcpView, tcpFlagNames } from './tcp.ts';
import { decodeTcpOptions, encodeTcpOptions, mssOption, type TcpOption } from './tcp-options.ts';
import { bytesOf, u4, u8, u16, u32 } from './test-support/arbitraries.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';

const wire = '9c40 0050 12345678 9abcdef0 6a 52 fffe abcd 0102 020405b4';

const option: fc.Arbitrary<TcpOption> = fc.oneof(
  fc.constant<TcpOption>({ kind: 1 }),
  fc.record({ kind: fc.integer({ min: 2, max: 255 }), data: fc.integer({ min: 0, max: 8 }).chain(bytesOf) }),
);

/** Lists that fill whole words: a shorter one reads back with the end of the list, which is its padding. */
const options = fc.array(option, { maxLength: 4 }).map((list) => {
  const length = list.reduce((total, item) => total + ('data' in item ? item.data.length + 2 : 1), 0);
  return [...list, ...new Array<TcpOption>((4 - (length % 4)) % 4).fill({ kind: 1 })];
});

describeProtocol({
  name: 'tcp',
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
  view: () => new TcpView(),
  reads: {
    sourcePort: 40000,
    destinationPort: 80,
    sequence: 0x12345678,
    acknowledgment: 0x9abcdef0,
    dataOffset: 6,
    headerLength: 24,
    reserved: 0xa,
    flags: 0x52,
    window: 0xfffe,
    checksum: 0xabcd,
    urgentPointer: 0x0102,
  },
  decode: decodeTcp,
  encode: encodeTcp,
  dissect: dissectTcp,
  values: fc.record<TcpHeader>({
    sourcePort: u16,
    destinationPort: u16,
    sequence: u32,
    acknowledgment: u32,
    reserved: u4,
    flags: u8,
    window: u16,
    checksum: u16,
    urgentPointer: u16,
    options,
  }),
});

describe('tcp lengths', () => {
  it('rejects a data offset below 5 (RFC 9293 §3.1)', () => {
    const bytes = fromHex(wire);
    bytes[12] = 0x40;
    expect(decodeTcp(bytes)).toMatchObject({
      ok: false,
      error: { kind: 'value', field: 'dataOffset', got: 4 },
    });
  });

  it('rejects a data offset beyond the bytes, and says that it lied', () => {
    const bytes = fromHex(wire);
    bytes[12] = 0xf0;
    expect(decodeTcp(bytes)).toMatchObject({ ok: false, error: { field: 'dataOffset', needed: 60 } });
  });
});

describe('tcp options', () => {
  it('give any bytes back as they were', () => {
    fc.assert(
      fc.property(
        fc.nat(10).chain((words) => bytesOf(words * 4)),
        (bytes) => {
          expect(toHex(encodeTcpOptions(decodeTcpOptions(bytes, 0, bytes.length)))).toBe(toHex(bytes));
        },
      ),
    );
  });

  it('refuse more than the data offset can count', () => {
    expect(() => encodeTcpOptions([{ kind: 5, data: new Uint8Array(39) }])).toThrow(RangeError);
  });
});

describe('tcp flags', () => {
  it('are named in the order of their bits', () => {
    expect(tcpFlagNames(0x12)).toBe('SYN, ACK');
    expect(tcpFlagNames(0)).toBe('none');
  });
});
