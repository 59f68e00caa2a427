import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { packet } from '../../sim/packet/build.ts';
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { slowSum } from '../test-support/packets.ts';
import { BeforeAfter } from './before-after.ts';
import { CaptureChecker, type CheckOptions } from './checker.ts';
import { identify } from './packet-identity.ts';
import { PacketRepair } from './repair.ts';

const OUTSIDE = { source: '192.0.2.1', destination: '192.0.2.2' };
const INSIDE = { source: '10.0.0.1', destination: '10.0.0.2' };
const data = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 37 + 11) & 0xff);

/** Everything filled in: what leaves the network card. */
const tcp = packet.ethernet().ipv4(INSIDE).tcp({ destinationPort: 80 }).payload(data(33)).bytes();
const udp = packet.ethernet().ipv4(INSIDE).udp({ destinationPort: 9 }).payload(data(34)).bytes();
const sctp = packet.ethernet().ipv4(INSIDE).sctp().payload(data(32)).bytes();
const vxlan = (inner: Uint8Array): Uint8Array =>
  packet.ethernet().ipv4(OUTSIDE).udp({ destinationPort: 4789 }).vxlan({ vni: 42 }).payload(inner).bytes();
const geneve6 = (inner: Uint8Array): Uint8Array =>
  packet
    .ethernet()
    .ipv6({ source: '2001:db8::1', destination: '2001:db8::2' })
    .udp({ destinationPort: 6081 })
    .geneve({ protocolType: 0x6558 })
    .payload(inner)
    .bytes();
const gre = (inner: Uint8Array): Uint8Array =>
  repaired(packet.ethernet().ipv4(OUTSIDE).gre({ checksum: 1, protocolType: 0x6558 }).payload(inner).bytes());

function repaired(frame: Uint8Array): Uint8Array {
  const fixed = frame.slice();
  for (const { at, value } of new PacketRepair().packet(frame, LINKTYPE.ETHERNET)) fixed[at] = value;
  return fixed;
}

/** The frame as it is captured: the field of the innermost checksum holds its pseudo-header's sum. */
function unfinished(frame: Uint8Array, inner: Uint8Array): Uint8Array {
  const out = frame.slice();
  const start = out.length - inner.length;
  const transport = start + 34;
  const [protocol, length] = [out[start + 23]!, out.length - transport];
  const addresses = out.subarray(start + 26, start + 34);
  writeU16(
    out,
    transport + (protocol === 6 ? 16 : 6),
    slowSum([...addresses, 0, protocol, ...[length >> 8, length & 0xff]]),
  );
  return out;
}

function check(frame: Uint8Array, options: CheckOptions = {}): CaptureChecker {
  const checker = new CaptureChecker({ keepFaulty: true, ...options });
  checker.checkPacket(frame, 0, frame.length, LINKTYPE.ETHERNET);
  checker.end();
  return checker;
}

describe('checksums of tunnels made by local checksum offload', () => {
  it.each([
    ['TCP in VXLAN', vxlan(tcp), tcp, 'udp'],
    ['UDP in VXLAN', vxlan(udp), udp, 'udp'],
    ['TCP in Geneve over IPv6', geneve6(tcp), tcp, 'udp'],
    ['UDP in GRE', gre(udp), udp, 'gre'],
    ['TCP in VXLAN in Geneve', geneve6(vxlan(tcp)), tcp, 'udp'],
    ['TCP in VXLAN in GRE', gre(vxlan(tcp)), tcp, 'gre'],
  ] as const)('%s', (_what, whole, inner, layer) => {
    expect(check(whole).faultCount).toBe(0);
    const captured = unfinished(whole, inner);
    const checker = check(captured);
    expect([checker.count(layer, 'bad'), checker.faultCount, checker.faulty.size]).toEqual([0, 0, 0]);
    expect(checker.count(layer, 'offload')).toBeGreaterThan(0);
    const strict = check(captured, { strict: true });
    expect(strict.faults[0]).toMatchObject({ layer, cause: { id: 'offload' } });
    expect(strict.faults[0]!.cause?.sentence).toContain('local checksum offload');
    expect(repaired(captured)).toEqual(whole);
  });

  it('are bad where they stay wrong once those inside are filled in', () => {
    const captured = unfinished(vxlan(tcp), tcp);
    writeU16(captured, 40, readU16(captured, 40) ^ 1);
    expect(check(captured).faults).toMatchObject([{ layer: 'udp', status: 'bad' }]);
  });

  it('are bad where the one inside is wrong, not unfinished', () => {
    const wrong = vxlan(tcp);
    wrong[wrong.length - 1]! ^= 1;
    expect(check(wrong).faults.map(({ layer }) => layer)).toEqual(['udp', 'tcp']);
  });

  it('are made of what an ICMP error quotes as it stands: nobody fills that in', () => {
    const error = (quoted: Uint8Array): Uint8Array =>
      packet.ethernet().ipv4(INSIDE).icmp({ type: 3, code: 3 }).payload(quoted.subarray(14)).bytes();
    const outer = vxlan(error(unfinished(udp, udp)));
    expect(check(outer).count('udp', 'good')).toBe(1);
    // As if the quoted checksum were to become what it is not.
    const change = readU16(udp, 40) + 0xffff - readU16(unfinished(udp, udp), 40);
    const field = readU16(outer, 40) + 0xffff - (change % 0xffff);
    writeU16(outer, 40, field > 0xffff ? field - 0xffff : field);
    expect(check(outer)).toMatchObject({ faults: [{ layer: 'udp', status: 'bad' }] });
  });

  it('say nothing of a device, and hide no other fault of it', () => {
    const device = new BeforeAfter({ strict: false, maxFaults: 10 });
    const before = { packet: 1, frame: vxlan(udp), identity: identify(vxlan(udp))! };
    device.judge(before, { ...before, frame: unfinished(vxlan(udp), udp) });
    expect([device.faultCount, device.unfinished]).toEqual([0, 1]);
    // A TTL inside that was lowered without an update, before the tunnel's checksum was made.
    const routed = udp.slice();
    routed[22]!--;
    device.judge(before, { ...before, packet: 2, frame: unfinished(vxlan(routed), routed) });
    expect(device.faults).toMatchObject([{ packet: 2, layer: 'ipv4', depth: 1 }]);
    expect(device.unfinished).toBe(2);
  });

  it('cover that of GRE, which is 0 until it is filled in', () => {
    const whole = vxlan(gre(udp));
    const captured = whole.slice();
    const field = whole.length - gre(udp).length + 38;
    expect(readU16(captured, field)).not.toBe(0);
    writeU16(captured, field, 0);
    const checker = check(captured);
    expect([checker.faultCount, checker.count('udp', 'offload'), checker.count('gre', 'offload')]).toEqual([
      0, 1, 1,
    ]);
    expect(repaired(captured)).toEqual(whole);
    writeU16(captured, field, 1);
    expect(check(captured).count('gre', 'bad')).toBe(1);
  });

  it('cover a CRC, which is 0 until it is filled in', () => {
    const captured = vxlan(sctp);
    captured.fill(0, captured.length - sctp.length + 42, captured.length - sctp.length + 46);
    const checker = check(captured);
    expect([checker.faultCount, checker.count('udp', 'offload'), checker.count('sctp', 'offload')]).toEqual([
      0, 1, 1,
    ]);
  });
});
