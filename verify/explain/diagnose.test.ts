import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../outcome.ts';
import {
  bytes,
  data,
  ethernet,
  icmp,
  ipv4,
  ipv6,
  pseudo,
  slowSum,
  tcp,
  u16,
  udp,
  V6_A,
  V6_B,
  vlan,
  withChecksum,
} from '../test-support/packets.ts';
import type { CauseId } from './cause.ts';
import { diagnoseChecksum } from './diagnose.ts';

const IP = 14;
const L4 = 34;

const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;
const swap = (value: number): number => ((value & 0xff) << 8) | (value >> 8);
const not = (value: number): number => ~value & 0xffff;

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

/** The checksum over these bytes, done properly. */
const proper = (...parts: readonly (readonly number[] | Uint8Array)[]): number =>
  not(slowSum(bytes(...parts)));

const echo = ethernet(0x0800, ipv4(1, icmp(8, 0, [0x12, 0x34, 0, 1], data(32))));
const datagram = ethernet(0x0800, ipv4(17, udp(data(21))));
const segment = ethernet(0x0800, ipv4(6, tcp(data(20))));

/** Does the checksum of a segment add up? */
const verify = (packet: Uint8Array): boolean =>
  slowSum(bytes(pseudo(6, packet.length - L4), packet.subarray(L4))) === 0xffff;

/** An echo whose checksum is `checksum`: its payload begins with what makes it right. */
function echoWith(checksum: number): Uint8Array {
  const packet = edit(echo, [L4 + 2, 0, 0], [L4 + 8, 0, 0]);
  const filler = not(slowSum(bytes(packet.subarray(L4), u16(checksum))));
  return edit(packet, [L4 + 2, ...u16(checksum)], [L4 + 8, ...u16(filler)]);
}

/** The reply to it, with this checksum. */
const reply = (request: Uint8Array, checksum: number): Uint8Array =>
  edit(request, [L4, 0], [L4 + 2, ...u16(checksum)]);

function id(before: Uint8Array, after: Uint8Array, layer: string, depth?: number): CauseId | undefined {
  return diagnoseChecksum(before, after, layer, depth)?.id;
}

describe('diagnoseChecksum recognises', () => {
  it('a checksum not updated', () => {
    expect(id(echo, edit(echo, [L4, 0]), 'icmp')).toBe('not updated');
  });

  it('a sum folded once', () => {
    // The identifier goes from 0 to 1 under a checksum of 0: 0xffff + 0xffff + 0x0001, whose first fold leaves 0x10000.
    const open = edit(echo, [L4 + 2, 0, 0], [L4 + 4, 0, 0], [L4 + 8, 0, 0]);
    const came = edit(open, [L4 + 8, ...u16(not(slowSum(open.subarray(L4))))]);
    const sum = not(0x0000) + not(0x0000) + 0x0001;
    const once = not(((sum & 0xffff) + (sum >> 16)) & 0xffff);
    expect(id(came, edit(came, [L4 + 4, 0, 1], [L4 + 2, ...u16(once)]), 'icmp')).toBe('folded once');
  });

  it('a full sum folded once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), (payload) => {
        // 0xffff words until the fold of the sum leaves a carry.
        const message = bytes(8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, payload);
        let sum = 0;
        for (let at = 0; at < message.length; at += 2) sum += word(message, at);
        const once = (sum & 0xffff) + (sum >> 16);
        if (once <= 0xffff) {
          // Makes the low half so large that the first fold carries.
          const missing = 0xffff - (sum & 0xffff);
          const room = 0xffff - word(message, 10);
          if (missing > room) return;
          message.set(u16(word(message, 10) + missing), 10);
          sum += missing;
        }
        const carry = (sum & 0xffff) + (sum >> 16);
        if (carry <= 0xffff) return;
        const wrong = not(carry & 0xffff);
        const came = ethernet(0x0800, ipv4(1, withChecksum(bytes(13, message.subarray(1)), 2)));
        const left = ethernet(0x0800, ipv4(1, edit(message, [2, ...u16(wrong)])));
        expect(id(came, left, 'icmp')).toBe('folded once');
      }),
    );
  });

  it('a fold forgotten', () => {
    const came = echoWith(0x0100);
    const sum = not(0x0100) + not(0x0800) + 0x0000;
    expect(sum).toBeGreaterThan(0xffff);
    expect(id(came, reply(came, not(sum & 0xffff)), 'icmp')).toBe('fold forgotten');
  });

  it('a carry lost, in either byte order', () => {
    const came = echoWith(0xf9ab);
    expect(id(came, reply(came, (0xf9ab + 0x0800) & 0xffff), 'icmp')).toBe('carry lost');
    const little = echoWith(0xfaff);
    // `check += htons(0x0800)` on a little-endian machine.
    const host = (swap(0xfaff) + swap(0x0800)) & 0xffff;
    expect(id(little, reply(little, swap(host)), 'icmp')).toBe('carry lost');
    // A TTL decrement whose carry is forgotten: 0xFF?? + 0x0100.
    const ttl = ethernet(0x0800, bytes(ipv4(17, data(8)).slice(0, 20), data(8)));
    const header = edit(ttl.slice(IP, IP + 20), [10, 0, 0], [4, 0, 0]);
    const filler = not(slowSum(bytes(header, u16(0xff42))));
    const packet = bytes(ttl.subarray(0, IP), edit(header, [4, ...u16(filler)], [10, 0xff, 0x42]), data(8));
    const left = edit(packet, [IP + 8, 63], [IP + 10, ...u16((0xff42 + 0x0100) & 0xffff)]);
    expect(id(packet, left, 'ipv4')).toBe('carry lost');
  });

  it('a TTL that went below 0, with a checksum that followed one step down', () => {
    const none = edit(ethernet(0x0800, ipv4(17, data(8))), [IP + 8, 0], [IP + 10, 0, 0]);
    for (const identification of [0, 1, 0x1234, 0xb1ff, 0xfffe]) {
      const blank = edit(none, [IP + 4, ...u16(identification)]);
      const came = edit(blank, [IP + 10, ...u16(proper(blank.subarray(IP, IP + 20)))]);
      // As the kernel's ip_decrease_ttl does it.
      const sum = word(came, IP + 10) + 0x0100;
      const left = edit(came, [IP + 8, 255], [IP + 10, ...u16((sum + (sum >= 0xffff ? 1 : 0)) & 0xffff)]);
      expect(id(came, left, 'ipv4'), String(identification)).toBe('ttl wrapped');
    }
  });

  it('the wrong byte order of the delta', () => {
    const came = echoWith(0x1234);
    expect(id(came, reply(came, 0x1234 + 0x0008), 'icmp')).toBe('delta byte order');
  });

  describe('a difference in network order', () => {
    /** A segment whose data go from `from` to `to` at this place, and the difference of the two words is added as they stand. */
    const changed = (at: number, from: number, to: number): { came: Uint8Array; left: Uint8Array } => {
      const came = edit(segment, [at, ...u16(from)]);
      came.set(u16(0), L4 + 16);
      came.set(u16(proper(pseudo(6, came.length - L4), came.subarray(L4))), L4 + 16);
      const checksum = not(slowSum([...u16(not(word(came, L4 + 16))), ...u16(not(from)), ...u16(to)]));
      return { came, left: edit(came, [at, ...u16(to)], [L4 + 16, ...u16(checksum)]) };
    };
    const of = (
      at: number,
      from: number,
      to: number,
      ...others: readonly [number, number][]
    ): string | undefined => {
      const { came, left } = changed(at, from, to);
      return diagnoseChecksum(
        came,
        left,
        'tcp',
        0,
        others.map(([a, b]) => changed(at, a, b)),
      )?.sentence;
    };
    const EVEN = L4 + 20;
    const ODD = L4 + 21;

    it('is wrong at an odd offset, and right at an even one', () => {
      expect(of(ODD, 0x2222, 0x0550)).toContain('lies at an odd offset');
      const { came, left } = changed(ODD, 0x2222, 0x0550);
      expect(id(came, left, 'tcp')).toBe('delta byte order');
      expect(verify(changed(EVEN, 0x2222, 0x0550).left)).toBe(true);
      expect(verify(left)).toBe(false);
    });

    it('is at an odd offset where the option begins at one, whichever byte of it changed', () => {
      const said = (options: readonly number[], at: number, to: number): string | undefined => {
        const payload = edit(tcp(data(20)), [12, 0x70], [20, ...options], [16, 0, 0]);
        const sum = proper(pseudo(6, payload.length), payload);
        const came = ethernet(0x0800, ipv4(6, edit(payload, [16, ...u16(sum)])));
        // A byte at an even place is the high one of its word: counted as a low one it is in the wrong order.
        const counted = (byte: number): number[] => (at % 2 === 0 ? [0, byte] : [byte, 0]);
        const off = slowSum([
          ...u16(not(sum)),
          ...counted(came[at]!).map((byte) => byte ^ 0xff),
          ...counted(to),
        ]);
        const left = edit(came, [at, to], [L4 + 16, ...u16(not(off))]);
        return diagnoseChecksum(came, left, 'tcp')?.sentence;
      };
      expect(said([1, 2, 4, 5, 0xb4, 1, 1, 0], L4 + 24, 0x50)).toContain('lies at an odd offset');
      expect(said([1, 1, 2, 4, 5, 0xb4, 1, 0], L4 + 25, 0x50)).toContain('wrong byte order');
    });

    it('is wrong among changes at even offsets that are right', () => {
      const { came, left } = changed(ODD, 0x2222, 0x0550);
      const sum = word(left, L4 + 16);
      // The sequence number was updated as well.
      const more = slowSum([...u16(not(sum)), ...u16(not(word(came, L4 + 4))), ...u16(0x7712)]);
      const both = edit(left, [L4 + 4, ...u16(0x7712)], [L4 + 16, ...u16(not(more))]);
      expect(diagnoseChecksum(came, both, 'tcp')?.sentence).toContain('odd offset, among others');
    });

    it('is told by the other packets where one byte alone changed', () => {
      expect(of(ODD, 0x22_50, 0x05_50)).toContain('byte order');
      expect(of(ODD, 0x22_50, 0x05_50, [0x1111, 0x0550], [0x3333, 0x0550])).toContain('odd offset');
    });
  });

  it('a delta in host order as that, whichever byte changed', () => {
    for (const [from, to] of [
      [0x1234, 0x5698],
      [0x1234, 0x1278],
      [0x1234, 0x5634],
    ] as const) {
      const came = edit(segment, [L4 + 20, ...u16(from)]);
      came.set(u16(0), L4 + 16);
      came.set(u16(proper(pseudo(6, came.length - L4), came.subarray(L4))), L4 + 16);
      const sum = slowSum([...u16(not(word(came, L4 + 16))), ...u16(swap(not(from))), ...u16(swap(to))]);
      const left = edit(came, [L4 + 20, ...u16(to)], [L4 + 16, ...u16(not(sum))]);
      expect(diagnoseChecksum(came, left, 'tcp')?.sentence, String([from, to])).toBe(
        'the difference was added in the wrong byte order',
      );
    }
  });

  it('a delta applied twice, or in the wrong direction', () => {
    const came = echoWith(0x1234);
    expect(id(came, reply(came, 0x1234 + 0x1000), 'icmp')).toBe('delta twice');
    expect(id(came, reply(came, 0x1234 - 0x0800), 'icmp')).toBe('delta negated');
  });

  it('a result in the wrong byte order, and one without its complement', () => {
    const came = echoWith(0x1234);
    expect(id(came, reply(came, swap(0x1a34)), 'icmp')).toBe('bytes swapped');
    expect(id(came, reply(came, not(0x1a34)), 'icmp')).toBe('not complemented');
  });

  it('the all-zero message', () => {
    const zeros = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 0, 0, 0], new Uint8Array(0))));
    expect(id(zeros, edit(zeros, [L4, 0, 0, 0, 0]), 'icmp')).toBe('all-zero message');
  });

  it('UDP 0 turned into something on a rewrite', () => {
    const none = edit(datagram, [L4 + 6, 0, 0]);
    const ported = edit(none, [L4 + 2, ...u16(5353)]);
    for (const value of [0x0001, 0xffff, not(slowSum([...u16(0xffff), ...u16(not(53)), ...u16(5353)]))]) {
      expect(id(none, edit(ported, [L4 + 6, ...u16(value)]), 'udp')).toBe('udp none updated');
    }
  });

  describe('UDP 0 filled in with a sum that is wrong:', () => {
    const none = edit(datagram, [L4 + 6, 0, 0]);
    const message = none.subarray(L4);
    const filledIn = (sum: number): Uint8Array => edit(none, [L4 + 6, ...u16(sum)]);
    const cause = (sum: number): CauseId | undefined => id(none, filledIn(sum), 'udp');
    const header = pseudo(17, 29);

    it('with another protocol or length in the pseudo-header', () => {
      expect(cause(proper(edit(bytes(header), [8, 17, 0]), message))).toBe('pseudo-header protocol');
      expect(cause(proper(pseudo(17, 49), message))).toBe('pseudo-header length');
    });

    it('without its last byte, with that byte in the wrong place, or with no more than the start', () => {
      const last = message.at(-1)!;
      expect(cause(proper(header, message.subarray(0, -1)))).toBe('tail left out');
      expect(cause(proper(header, message.subarray(0, -1), [0, last]))).toBe('odd byte misplaced');
      expect(cause(proper(header, message.subarray(0, 16)))).toBe('start only');
    });

    it('with a carry out of 32 bits that was dropped, which several packets tell', () => {
      const overflowing = [3, 77, 130, 201].map((third) => {
        const addresses = { source: [10, 0, third, 200], destination: [10, 9, 255 - third, 100] };
        const whole = ethernet(0x0800, ipv4(17, udp(data(21)), addresses));
        const came = edit(whole, [L4 + 6, 0, 0]);
        const sum = slowSum(bytes(came.subarray(IP + 12, IP + 20), [0, 17, 0, 29], came.subarray(L4)));
        const lost = not(slowSum([...u16(sum), ...u16(not(0x0100))]));
        return { came, left: edit(came, [L4 + 6, ...u16(lost)]) };
      });
      const [{ came, left }, ...others] = overflowing as [Sample, ...Sample[]];
      expect(diagnoseChecksum(came, left, 'udp', 0, others)?.id).toBe('carry lost');
    });

    it('folded once too few, of whole addresses in 64 bits', () => {
      const fold = (value: number): number => (value % 0x1_0000) + Math.floor(value / 0x1_0000);
      const summed = (packet: Uint8Array): number => {
        const view = new DataView(packet.buffer);
        let sum = view.getUint32(IP + 12, true) + view.getUint32(IP + 16, true) + swap(17) + swap(30);
        for (let at = L4; at < packet.length; at += 2) sum += swap(word(packet, at));
        return sum;
      };
      const addresses = { source: [10, 0, 0, 200], destination: [10, 0, 0, 100] };
      const open = edit(ethernet(0x0800, ipv4(17, udp(data(22)), addresses)), [L4 + 6, 0, 0]);
      const blank = summed(edit(open, [L4 + 8, 0, 0]));
      const carries = (number: number): boolean => fold(fold(blank + swap(number))) > 0xffff;
      const value = Array.from({ length: 0x1_0000 }, (_, number) => number).find(carries)!;
      const came = edit(open, [L4 + 8, ...u16(value)]);
      const wrong = swap(not(fold(fold(blank + swap(value))) & 0xffff));
      expect(id(came, edit(came, [L4 + 6, ...u16(wrong)]), 'udp')).toBe('folded once');
    });

    it('and says that it should have been left alone of what fits nothing', () => {
      expect(cause(0x0001)).toBe('udp none updated');
    });
  });

  it('a computed 0 not turned into 0xFFFF', () => {
    const open = edit(datagram, [L4 + 8, 0, 0], [L4 + 6, 0, 0]);
    const filler = not(slowSum([...pseudo(17, 29), ...open.subarray(L4)]));
    const zero = edit(open, [L4 + 8, ...u16(filler)]);
    expect(id(datagram, zero, 'udp')).toBe('udp zero lost');
    const six = ethernet(0x86dd, ipv6(17, udp(data(8), V6_A, V6_B)));
    const open6 = edit(six, [54 + 8, 0, 0], [54 + 6, 0, 0]);
    const filler6 = not(slowSum([...pseudo(17, 16, V6_A, V6_B), ...open6.subarray(54)]));
    expect(id(six, edit(open6, [54 + 8, ...u16(filler6)]), 'udp')).toBe('udp zero lost');
  });

  it('a port or an address changed and the layer-4 checksum left', () => {
    expect(id(datagram, edit(datagram, [L4 + 2, 0, 99]), 'udp')).toBe('not updated');
    const header = ipv4(6, new Uint8Array(0), { totalLength: 60, destination: [10, 9, 9, 9] });
    const natted = bytes(segment.subarray(0, IP), header, segment.subarray(L4));
    const cause = diagnoseChecksum(segment, natted, 'tcp');
    expect(cause?.id).toBe('not updated');
    expect(cause?.sentence).toContain('destination address');
    expect(cause?.sentence).toContain('pseudo-header');
  });

  it('one of two changes left out of the update', () => {
    const header = ipv4(6, new Uint8Array(0), { totalLength: 60, destination: [10, 9, 9, 9] });
    const ported = edit(segment, [L4 + 2, 0, 99]);
    const portOnly = proper(pseudo(6, 40), ported.subarray(L4, L4 + 16), [0, 0], ported.subarray(L4 + 18));
    const natted = bytes(
      segment.subarray(0, IP),
      header,
      edit(ported, [L4 + 16, ...u16(portOnly)]).subarray(L4),
    );
    const cause = diagnoseChecksum(segment, natted, 'tcp');
    expect(cause?.id).toBe('change left out');
    expect(cause?.sentence).toContain('destination address');
  });

  it('ICMP treated as if it had a pseudo-header, and UDP as if it had none', () => {
    const answered = edit(echo, [L4, 0], [L4 + 2, 0, 0]);
    const wrong = proper(pseudo(1, 40), answered.subarray(L4));
    expect(id(echo, edit(answered, [L4 + 2, ...u16(wrong)]), 'icmp')).toBe('pseudo-header counted');
    const ported = edit(datagram, [L4 + 2, 0, 99], [L4 + 6, 0, 0]);
    const none = proper(ported.subarray(L4));
    expect(id(datagram, edit(ported, [L4 + 6, ...u16(none)]), 'udp')).toBe('pseudo-header left out');
  });

  it('an ICMP error of which only the quoted packet, or only the outer checksum, was rewritten', () => {
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], segment.slice(IP, IP + 28))));
    const inner = edit(error, [L4 + 8 + 12, 10, 9, 9, 9]);
    const cause = diagnoseChecksum(error, inner, 'icmp');
    expect(cause?.id).toBe('not updated');
    expect(cause?.sentence).toContain('quoted');
    const outer = bytes(inner.subarray(0, L4), withChecksum(inner.subarray(L4), 2));
    expect(id(error, outer, 'ipv4', 1)).toBe('not updated');
  });

  it('a quoted address left out of the outer sum of an ICMP error', () => {
    const error = ethernet(0x0800, ipv4(1, icmp(11, 0, [0, 0, 0, 0], segment.slice(IP, IP + 28))));
    const inner = edit(error, [L4 + 8 + 12, 10, 9, 9, 9]);
    // The header checksum of the quoted packet follows, and the outer sum hears of that alone.
    const repaired = bytes(
      inner.subarray(0, L4 + 8),
      withChecksum(inner.subarray(L4 + 8, L4 + 28), 10),
      inner.subarray(L4 + 28),
    );
    const header = L4 + 8 + 10;
    const heard = not(
      slowSum([
        ...u16(not(word(error, L4 + 2))),
        ...u16(not(word(error, header))),
        ...u16(word(repaired, header)),
      ]),
    );
    const cause = diagnoseChecksum(error, edit(repaired, [L4 + 2, ...u16(heard)]), 'icmp');
    expect(cause).toMatchObject({
      id: 'change left out',
      sentence: 'the change of quoted source address was not carried into the checksum',
    });
  });

  it('a checksum of 0 taken for none, which only UDP has', () => {
    const open = edit(segment, [L4 + 16, 0, 0], [L4 + 20, 0, 0]);
    const filler = not(slowSum([...pseudo(6, 40), ...open.subarray(L4)]));
    const zero = edit(open, [L4 + 20, ...u16(filler)]);
    expect(id(zero, edit(zero, [L4 + 2, 0, 99]), 'tcp')).toBe('zero left alone');
    // One that had a sum, and kept it, was forgotten.
    expect(id(segment, edit(segment, [L4 + 2, 0, 99]), 'tcp')).toBe('not updated');
    const other = { came: segment, left: edit(segment, [L4 + 2, 0, 99]) };
    expect(diagnoseChecksum(zero, edit(zero, [L4 + 2, 0, 99]), 'tcp', 0, [other])?.id).toBe('not updated');
  });

  it('an update for a TTL one lower that was not lowered', () => {
    const sums = [3, 80, 200].map((last) => {
      const came = ethernet(0x0800, ipv4(17, udp(data(8)), { destination: [10, 9, last, last] }));
      return { came, left: edit(came, [IP + 10, ...u16((word(came, IP + 10) + 0x0100) % 0xffff)]) };
    });
    const [shown, ...others] = sums;
    const cause = diagnoseChecksum(shown!.came, shown!.left, 'ipv4', 0, others);
    expect(cause).toMatchObject({ id: 'change not made', packets: 3, of: 3 });
    // Lowered, and updated twice for it, is another mistake.
    const lowered = edit(
      datagram,
      [IP + 8, 63],
      [IP + 10, ...u16((word(datagram, IP + 10) + 0x0200) % 0xffff)],
    );
    expect(id(datagram, lowered, 'ipv4')).not.toBe('change not made');
  });

  it('an early return before the IP checksum', () => {
    const cause = diagnoseChecksum(datagram, edit(datagram, [IP + 8, 63]), 'ipv4');
    expect(cause?.id).toBe('not updated');
    expect(cause?.sentence).toContain('early return');
  });

  it('options that the program took for what lies behind a header of 20 bytes', () => {
    const options = [1, 1, 1, 0];
    const came = ethernet(0x0800, ipv4(1, data(28), { options }));
    const [source, destination] = [came.slice(IP + 12, IP + 16), came.slice(IP + 16, IP + 20)];
    const swapped = edit(came, [IP + 12, ...destination, ...source], [IP + 20, 0, 0, 0x31, 0x7a]);
    const cause = diagnoseChecksum(came, swapped, 'ipv4');
    expect(cause?.id).toBe('not updated');
    expect(cause?.sentence).toContain('(is the header taken for 20 bytes?');
    // The same beside an update that is right in itself, and not where a field of the first 20 bytes was left out.
    const hinted = (...changed: [at: number, ...values: number[]][]): string | undefined =>
      diagnoseChecksum(came, edit(came, ...changed), 'ipv4')?.sentence;
    const sum = word(came, IP + 10) + 0x0100;
    const updated = [IP + 10, ...u16((sum & 0xffff) + (sum >> 16))] as [number, ...number[]];
    expect(hinted([IP + 8, 63], [IP + 20, 0, 0, 0x31, 0x7a], updated)).toMatch(
      /^the change of options was not carried .*is the header taken for 20 bytes\?/,
    );
    expect(hinted([IP + 8, 63], [IP + 4, 7, 7], updated)).toMatch(/not carried into the checksum$/);
    // With another change that counts, it is the whole header that was not updated.
    const lowered = diagnoseChecksum(came, edit(swapped, [IP + 8, 63]), 'ipv4');
    expect(lowered?.sentence).toContain('early return');
  });

  it('ihl not multiplied by 4, and options not counted', () => {
    const options = [7, 7, 4, 0, 0, 0, 0, 0];
    const came = ethernet(0x0800, ipv4(17, udp(data(8)), { options }));
    const left = edit(came, [IP + 8, 63], [IP + 10, 0, 0]);
    const ihl = proper(left.subarray(IP, IP + 6));
    expect(id(came, edit(left, [IP + 10, ...u16(ihl)]), 'ipv4')).toBe('ihl not multiplied');
    const fixed = proper(left.subarray(IP, IP + 20));
    expect(id(came, edit(left, [IP + 10, ...u16(fixed)]), 'ipv4')).toBe('options left out');
  });

  it('a later fragment treated as having ports', () => {
    const later = ethernet(0x0800, ipv4(17, data(24), { fragment: 0x0010 }));
    expect(id(later, edit(later, [L4 + 2, 0x12, 0x34]), 'udp')).toBe('later fragment');
  });

  it('the tail of a length not divisible by 4 left out', () => {
    const ported = edit(datagram, [L4 + 2, 0, 99], [L4 + 6, 0, 0]);
    for (const rest of [1]) {
      const wrong = proper(pseudo(17, 29), ported.subarray(L4, ported.length - rest));
      expect(id(datagram, edit(ported, [L4 + 6, ...u16(wrong)]), 'udp')).toBe('tail left out');
    }
    const even = ethernet(0x0800, ipv4(17, udp(data(22))));
    const left = edit(even, [L4 + 2, 0, 99], [L4 + 6, 0, 0]);
    const wrong = proper(pseudo(17, 30), left.subarray(L4, left.length - 2));
    expect(id(even, edit(left, [L4 + 6, ...u16(wrong)]), 'udp')).toBe('tail left out');
  });

  it('a payload grown or shrunk without the checksum', () => {
    const grown = ethernet(
      0x0800,
      ipv4(17, bytes(datagram.subarray(L4, L4 + 4), u16(33), datagram.subarray(L4 + 6), [1, 2, 3, 4])),
    );
    const cause = diagnoseChecksum(datagram, grown, 'udp');
    expect(cause?.id).toBe('not updated');
    expect(cause?.sentence).toContain('4 bytes were added');
    const cut = ethernet(
      0x0800,
      ipv4(17, bytes(datagram.subarray(L4, L4 + 4), u16(25), datagram.subarray(L4 + 6, L4 + 25))),
    );
    expect(diagnoseChecksum(datagram, cut, 'udp')?.sentence).toContain('4 bytes were taken away');
  });

  it('0 carried from IPv4 to IPv6 by a translator', () => {
    const none = edit(datagram, [L4 + 6, 0, 0]);
    expect(id(none, ethernet(0x86dd, ipv6(17, none.slice(L4))), 'udp')).toBe('udp none carried to ipv6');
  });

  it('an odd byte on the wrong side, padding counted, and a VLAN tag not stepped over', () => {
    const ported = edit(datagram, [L4 + 2, 0, 99], [L4 + 6, 0, 0]);
    const even = ported.subarray(L4, ported.length - 1);
    const wrong = proper(pseudo(17, 29), even, [0, ported.at(-1)!]);
    expect(id(datagram, edit(ported, [L4 + 6, ...u16(wrong)]), 'udp')).toBe('odd byte misplaced');

    const padded = bytes(datagram, data(9));
    const left = edit(padded, [L4 + 2, 0, 99], [L4 + 6, 0, 0]);
    const counted = proper(pseudo(17, 29), left.subarray(L4));
    expect(id(padded, edit(left, [L4 + 6, ...u16(counted)]), 'udp')).toBe('padding counted');
    // The protocol of TCP and eleven is that of UDP.
    const eleven = edit(bytes(segment, new Uint8Array(11)), [L4, 1, 2]);
    const [tcpSum] = [
      proper(pseudo(6, segment.length - L4 + 11), edit(eleven, [L4 + 16, 0, 0]).subarray(L4)),
    ];
    expect(id(bytes(segment, new Uint8Array(11)), edit(eleven, [L4 + 16, ...u16(tcpSum!)]), 'tcp')).toBe(
      'padding counted',
    );

    const tagged = vlan(5, 0x0800, ipv4(1, icmp(8, 0, [0x12, 0x34, 0, 1], data(32))));
    const answered = edit(tagged, [L4 + 4, 0]);
    const shifted = answered.slice(L4, answered.length - 4);
    shifted.set([0, 0], 6);
    const off = proper(shifted);
    expect(id(tagged, edit(answered, [L4 + 6, ...u16(off)]), 'icmp')).toBe('wrong place');
  });

  it.each([4, 8, 20, 64])('a sum of the first %i bytes only', (size) => {
    const came = ethernet(0x0800, ipv4(1, icmp(8, 0, [0x12, 0x34, 0, 1], data(100))));
    const blank = edit(came, [L4, 0], [L4 + 2, 0, 0]);
    const left = edit(blank, [L4 + 2, ...u16(proper(blank.subarray(L4, L4 + size)))]);
    const cause = diagnoseChecksum(came, left, 'icmp')!;
    expect(cause).toMatchObject({ id: 'start only', sentence: `only the first ${size} bytes were counted` });
    expect(id(came, edit(left, [L4 + 2, left[L4 + 2]! ^ 0x55]), 'icmp')).toBe('unknown');
  });

  it('a sum of the first bytes of TCP, with the pseudo-header', () => {
    const blank = edit(segment, [L4 + 2, 0, 99], [L4 + 16, 0, 0]);
    const wrong = proper(pseudo(6, blank.length - L4), blank.subarray(L4, L4 + 20));
    expect(id(segment, edit(blank, [L4 + 16, ...u16(wrong)]), 'tcp')).toBe('start only');
  });

  it('the old checksum counted', () => {
    const answered = edit(echo, [L4, 0]);
    const wrong = not(slowSum(answered.subarray(L4)));
    expect(id(echo, edit(answered, [L4 + 2, ...u16(wrong)]), 'icmp')).toBe('old checksum counted');
  });

  it('a wrong checksum that was repaired instead of updated', () => {
    const broken = edit(echo, [L4 + 2, 0x11, 0x11]);
    const repaired = bytes(broken.subarray(0, L4), withChecksum(edit(broken.subarray(L4), [0, 0]), 2));
    expect(id(broken, repaired, 'icmp')).toBe('recomputed');
  });

  it('the other zero', () => {
    const came = echoWith(0xf7ff);
    expect(id(came, reply(came, 0xffff), 'icmp')).toBe('other zero');
  });
});

describe('diagnoseChecksum', () => {
  it('says so where no known defect gives the bytes', () => {
    const came = echoWith(0x1234);
    expect(id(came, reply(came, 0x7712), 'icmp')).toBe('unknown');
  });

  it('has nothing to say of a checksum that is not there', () => {
    expect(id(echo, echo, 'tcp')).toBeUndefined();
  });

  it('is seldom wrong by coincidence', () => {
    const counts = new Map<string, number>();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xfffe }),
        fc.integer({ min: 1, max: 0xfffe }),
        (checksum, noise) => {
          const came = echoWith(checksum);
          const cause = id(came, reply(came, noise), 'icmp')!;
          counts.set(cause, (counts.get(cause) ?? 0) + 1);
        },
      ),
      { numRuns: 2000, seed: 7 },
    );
    expect(counts.get('unknown')).toBeGreaterThan(1960);
  });
});

describe('diagnoseChecksum recognises one wrong ingredient of a sum from scratch:', () => {
  const sizes = [20, 33, 52];
  /** Answers of several sizes, each with the checksum that a program with this defect gives. */
  function answered(
    size: number,
    sum: (ported: Uint8Array) => number,
  ): { came: Uint8Array; left: Uint8Array } {
    const came = ethernet(0x0800, ipv4(6, tcp(data(size))));
    const ported = edit(came, [L4 + 2, 0, 99], [L4 + 16, 0, 0]);
    return { came, left: edit(ported, [L4 + 16, ...u16(sum(ported))]) };
  }
  function causeOf(sum: (ported: Uint8Array) => number): ReturnType<typeof diagnoseChecksum> {
    const [{ came, left }, ...others] = sizes.map((size) => answered(size, sum)) as [
      ReturnType<typeof answered>,
      ...ReturnType<typeof answered>[],
    ];
    return diagnoseChecksum(came, left, 'tcp', 0, others);
  }
  const withLength = (length: (right: number) => number) =>
    causeOf((ported) => proper(pseudo(6, length(ported.length - L4)), ported.subarray(L4)));
  const withProtocol = (protocol: number) =>
    causeOf((ported) => proper(pseudo(protocol, ported.length - L4), ported.subarray(L4)));

  it('the length of the pseudo-header in host order, of the header alone, or of the whole packet', () => {
    expect(withLength(swap)).toMatchObject({
      id: 'pseudo-header length',
      sentence: 'the length in the pseudo-header was counted in host order',
      packets: 3,
      of: 3,
    });
    expect(withLength(() => 20)).toMatchObject({
      id: 'pseudo-header length',
      sentence: 'the length in the pseudo-header was counted as 20',
      packets: 3,
    });
    expect(withLength((right) => right + 20)).toMatchObject({ id: 'pseudo-header length', packets: 3 });
    expect(withLength((right) => right - 20)).toMatchObject({ id: 'pseudo-header length', packets: 3 });
    // No length that a program would take.
    expect(withLength((right) => right + 1234)?.id).toBe('unknown');
  });

  it('the protocol of the pseudo-header', () => {
    expect(withProtocol(17)).toMatchObject({
      id: 'pseudo-header protocol',
      sentence: 'the protocol in the pseudo-header was counted as 17',
      packets: 3,
    });
    expect(withProtocol(99)?.id).toBe('unknown');
  });

  it('the first bytes only', () => {
    const first = causeOf((ported) => proper(pseudo(6, ported.length - L4), ported.subarray(L4, L4 + 24)));
    expect(first).toMatchObject({ id: 'start only', packets: 3, of: 3 });
    expect(first?.sentence).toBe('only the first 24 bytes were counted');
  });

  it('of a change, only what is new, or only what was there before', () => {
    const change = (from: number, to: number) => (ported: Uint8Array) => {
      const right = proper(pseudo(6, ported.length - L4), ported.subarray(L4));
      return not(slowSum(bytes(u16(not(right)), u16(from), u16(to))));
    };
    const port = word(segment, L4 + 2);
    expect(causeOf(change(port, 0))).toMatchObject({
      id: 'change left out',
      sentence: 'the old destination port was not taken out of the sum',
    });
    expect(causeOf(change(0, not(99)))).toMatchObject({
      id: 'change left out',
      sentence: 'the new destination port was not added to the sum',
    });
  });
});

describe('diagnoseChecksum with more packets that fail', () => {
  it('names the cause that explains all of them, not the first that explains one', () => {
    const right = (request: Uint8Array): number => {
      const sum = word(request, L4 + 2) + 0x0800;
      return sum > 0xffff ? sum - 0xffff : sum;
    };
    const uncomplemented = (request: Uint8Array): Uint8Array => reply(request, not(right(request)));
    // By chance also what comes of applying the difference twice: 0xf3ff + 2 * 0x0800.
    const chance = echoWith(0xf3ff);
    const others = [0x1111, 0x2345, 0xbeef, 0xfe12]
      .map(echoWith)
      .map((came) => ({ came, left: uncomplemented(came) }));
    const left = uncomplemented(chance);
    expect(diagnoseChecksum(chance, left, 'icmp')).toMatchObject({ id: 'delta twice', packets: 1, of: 1 });
    const together = diagnoseChecksum(chance, left, 'icmp', 0, others);
    expect(together).toMatchObject({ id: 'not complemented', packets: 5, of: 5 });
  });

  it('names the end of a sum that all packets share, whatever explains small ones by chance', () => {
    // An answered echo of zeros: type, code and field sum to 0, as does much else.
    const sample = (...message: readonly number[]): { came: Uint8Array; left: Uint8Array } => {
      const came = ethernet(0x0800, ipv4(1, icmp(8, 0, message.slice(0, 4), bytes(message.slice(4)))));
      return { came, left: edit(came, [L4, 0], [L4 + 2, 0xff, 0xff]) };
    };
    const small = [sample(0, 0, 0, 0xac), sample(0, 0, 0, 0x93, 0), sample(0, 0, 0, 7)];
    const large = sample(0x12, 0x34, 0, 1, ...data(20));
    const causeOf = ([shown, ...others]: readonly (typeof large)[]) =>
      diagnoseChecksum(shown!.came, shown!.left, 'icmp', 0, others)?.sentence;
    expect(causeOf([...small, large])).toBe('only the first 4 bytes were counted');
    expect(causeOf(small.slice(0, 1).concat(large))).toBe('only the first 4 bytes were counted');
  });

  it('goes by those that came in right', () => {
    const right = [0x1111, 0x2345].map(echoWith).map((came) => ({ came, left: edit(came, [L4, 0]) }));
    const wrong = edit(echo, [L4 + 2, 0x12, 0x34]);
    const cause = diagnoseChecksum(echo, edit(echo, [L4, 0]), 'icmp', 0, [
      ...right,
      { came: wrong, left: reply(wrong, 0xabcd) },
    ]);
    expect(cause).toMatchObject({ id: 'not updated', packets: 3, of: 3 });
  });

  it('knows no cause where one explains only one of many', () => {
    const others = [0x1111, 0x2345, 0xbeef].map(echoWith).map((came, index) => ({
      came,
      left: reply(came, 0x0101 * (index + 3)),
    }));
    for (const count of [1, 2, 3]) {
      const some = others.slice(0, count);
      expect(diagnoseChecksum(echo, edit(echo, [L4, 0]), 'icmp', 0, some)?.id).toBe('unknown');
    }
    // Half of the others are enough: they may fail for a reason of their own.
    const same = [0x4444].map(echoWith).map((came) => ({ came, left: edit(came, [L4, 0]) }));
    const mixed = [...others.slice(0, 1), ...same];
    expect(diagnoseChecksum(echo, edit(echo, [L4, 0]), 'icmp', 0, mixed)?.id).toBe('not updated');
  });
});

it('names, of changes that explain one packet, the one that explains the others, too', () => {
  // Addresses are exchanged, and a byte of data goes; the sum keeps the old length. In the first packet the addresses differ by 1, too.
  const sample = (last: number): { came: Uint8Array; left: Uint8Array } => {
    const swapped = (packet: Uint8Array): Uint8Array =>
      edit(packet, [IP + 12, 10, 0, 0, last], [IP + 16, 10, 0, 0, 1]);
    const from = edit(
      ethernet(0x0800, ipv4(6, tcp(Uint8Array.of(0)))),
      [IP + 12, 10, 0, 0, 1],
      [IP + 16, 10, 0, 0, last],
    );
    const came = edit(from, [L4 + 16, ...u16(sumOf(from))]);
    const shorter = swapped(edit(came.slice(0, -1), [IP + 2, 0, 40], [L4 + 8, 0, 0, 0, 9]));
    return { came, left: edit(shorter, [L4 + 16, ...u16(not((not(sumOf(shorter)) + 1) % 0xffff))]) };
  };
  const sumOf = (packet: Uint8Array): number => {
    const segment = edit(packet, [L4 + 16, 0, 0]).slice(L4);
    return proper(packet.slice(IP + 12, IP + 20), [0, 6, ...u16(segment.length)], segment);
  };
  const shown = sample(2);
  const cause = diagnoseChecksum(shown.came, shown.left, 'tcp', 0, [sample(7), sample(9)]);
  expect(cause?.id).toBe('change left out');
  expect(cause?.sentence).toContain('length');
});
