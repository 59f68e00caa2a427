import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { PcapngEncoder } from '../../corpus/formats/pcapng-encoder.ts';
import { readAll } from '../../corpus/test-support/captures.ts';
import { packet } from '../../sim/packet/build.ts';
import { fillIpv4Checksum } from '../../sim/packet/ipv4.ts';
import { frameCheckSequence } from '../../verify/captures/frame-check.ts';
import { PacketSet } from '../../verify/captures/packet-set.ts';
import type { Ended } from '../test-support/built-command.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { type ChecksumReport, checksumReportShape } from './report-json.ts';
import { FragmentRepairs, writeFixed } from './write-captures.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-checksum-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const payload = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 37 + 11) & 0xff);
const RIGHT = packet
  .ethernet()
  .ipv4({ source: '10.0.0.1', destination: '10.0.0.2' })
  .udp({ sourcePort: 7, destinationPort: 9 })
  .payload(payload(50))
  .bytes();
const WRONG = RIGHT.slice();
WRONG[60]! ^= 0x55;

function file(name: string, bytes: Uint8Array): string {
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

function pcap(frames: readonly Uint8Array[], linkType: number = LINKTYPE.ETHERNET): Uint8Array {
  const encoder = new PcapEncoder({ linkType });
  for (const [index, frame] of frames.entries()) encoder.packet(frame, 0, frame.length, 1000, index);
  return encoder.take().slice();
}

const good = file('good.pcap', pcap([RIGHT]));
const bad = file('bad.pcap', pcap([RIGHT, WRONG, RIGHT]));
const empty = file('without-packets.pcap', pcap([]));
const cut = file('cut.pcap', pcap([RIGHT, WRONG, RIGHT]).subarray(0, -5));

const checksum = (...args: string[]): Promise<Ended> => runInProcess('checksum', ...args);

async function json(...args: string[]): Promise<ChecksumReport & { code: number }> {
  const { out, code } = await checksum(...args, '--json');
  return { ...v.parse(checksumReportShape, JSON.parse(out)), code };
}

describe('several captures', () => {
  it('each have their table, whatever happens to the others', async () => {
    const { out, err, code } = await checksum(good, 'missing', cut, bad);
    expect(code).toBe(2);
    expect(out.match(/^\S+: \d packets?/gm)?.map((line) => line.replace(/.*\//, ''))).toEqual([
      'good.pcap: 1 packet',
      'cut.pcap: 2 packets',
      'bad.pcap: 3 packets',
    ]);
    expect(err).toMatch(/missing: no such file/);
    expect(err).toMatch(/cut\.pcap: at byte \d+: expected a packet of 92 bytes/);
    expect(out.match(/packet 2: udp checksum bad/g)).toHaveLength(2);
    expect(out).toContain('1 fault; checked up to packet 2, the rest cannot be read');
  });

  it('are all in the JSON document, errors included', async () => {
    const { files, code } = await json('missing', cut, bad);
    expect(code).toBe(2);
    expect(files).toMatchObject([
      { file: 'missing', packets: 0, error: { exitCode: 2 } },
      { packets: 2, faultCount: 1, error: { exitCode: 2 } },
      { packets: 3, faultCount: 1, layers: { udp: { good: 2, bad: 1 } } },
    ]);
    expect(files[2]).not.toHaveProperty('error');
    expect(files[2]!.faults).toMatchObject([
      {
        packet: 2,
        layer: 'udp',
        depth: 0,
        source: '10.0.0.1',
        destination: '10.0.0.2',
        sourcePort: 7,
        destinationPort: 9,
      },
    ]);
  });

  it('are looked at where they match a filter, and keep their numbers', async () => {
    const none = await checksum(bad, '--filter', 'tcp || udp.dstport == 4');
    expect(none).toMatchObject({ code: 4 });
    expect(none.out).toContain(': 0 of 3 packets');
    expect(none.out).toContain('no packet matches the filter: nothing was checked');
    expect((await checksum(good, bad, '--filter', 'udp.length == 58')).code).toBe(1);
    expect((await checksum(empty, good, '--filter', 'udp')).code).toBe(0);
    const faulty = await checksum(bad, '--filter', 'udp.srcport == 7 && ip.src == 10.0.0.0/8');
    expect(faulty).toMatchObject({ code: 1 });
    expect(faulty.out).toContain('packet 2: udp checksum bad');
    const { files } = await json(bad, '--filter', 'tcp');
    expect(files).toMatchObject([{ packets: 3, matched: 0, faultCount: 0 }]);
  });

  it('end with 1 for a fault and 0 for none', async () => {
    expect((await checksum(good, bad)).code).toBe(1);
    expect((await checksum(good, good)).code).toBe(0);
  });
});

describe('a link type that cannot be read', () => {
  function mixed(...packets: (readonly [frame: Uint8Array, device: 0 | 1])[]): Uint8Array {
    const encoder = new PcapngEncoder();
    encoder.section();
    encoder.interface({ linkType: LINKTYPE.ETHERNET });
    encoder.interface({ linkType: LINKTYPE.USB_LINUX });
    for (const [frame, device] of packets) encoder.packet(frame, 0, frame.length, 0, 0, frame.length, device);
    return encoder.take().slice();
  }

  it('is named once with its packets; the others are checked, with code 3 where nothing else is wrong', async () => {
    const path = file('mixed.pcapng', mixed([RIGHT, 0], [payload(40), 1], [payload(40), 1], [RIGHT, 0]));
    const { out, code } = await checksum(path);
    expect(code).toBe(3);
    expect(out.match(/LINKTYPE_USB_LINUX/g)).toHaveLength(1);
    expect(out).toContain('2 packets of LINKTYPE_USB_LINUX (189) skipped');
    expect(out).toMatch(/udp +2 +0/);
    expect((await json(path)).files[0]!.skipped).toEqual([
      { linkType: 189, name: 'LINKTYPE_USB_LINUX (189)', packets: 2 },
    ]);
  });

  it('does not hide a fault', async () => {
    expect((await checksum(file('both.pcapng', mixed([payload(40), 1], [WRONG, 0])))).code).toBe(1);
  });
});

describe('what is printed', () => {
  it('is only what is wrong with --bad, of some layers with --layer', async () => {
    const both = WRONG.slice();
    both[22]! ^= 0x20;
    const path = file('both.pcap', pcap([RIGHT, both]));
    const lines = (await checksum(good, path, '--bad', '--layer', 'udp')).out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^ {2}packet 2: udp checksum bad/);
    expect(lines[2]).toMatch(/^ {4}10\.0\.0\.1:7 → 10\.0\.0\.2:9/);
    expect((await json(path, '--layer', 'ipv4')).files[0]!.faults.map(({ layer }) => layer)).toEqual([
      'ipv4',
    ]);
    expect((await checksum(path, '--layer', 'nosuch')).err).toMatch(
      /--layer must be one of ipv4, .*not “nosuch”/,
    );
  });

  it('shows a packet in full with --explain', async () => {
    const { out, code } = await checksum(bad, '--explain', '2');
    expect(code).toBe(1);
    expect(out).toContain('packet 2, LINKTYPE_ETHERNET');
    expect(out).toContain('User Datagram Protocol, 7 → 9');
    expect(out).toMatch(
      /udp checksum bad: got 0x\w{4}, expected 0x\w{4}\n {2}10\.0\.0\.1:7 → 10\.0\.0\.2:9\nChecksum of udp at byte 40/,
    );
    expect((await checksum(bad, '--explain', '1')).code).toBe(0);
    expect(await checksum(bad, '--explain', '4')).toMatchObject({
      code: 2,
      err: expect.stringContaining('only 3 packets'),
    });
    expect((await checksum(bad, good, '--explain', '1')).err).toContain('exactly one capture');
  });

  it.each([4, 6] as const)('takes TCP in IPv%s with a length of 0 for TCP everywhere', async (version) => {
    const ip = version === 4 ? packet.ethernet().ipv4({}) : packet.ethernet().ipv6({});
    const right = ip.tcp({ destinationPort: 9 }).payload(payload(50)).bytes();
    const at = version === 4 ? 16 : 18;
    right.fill(0, at, at + 2);
    if (version === 4) fillIpv4Checksum(right, 14);
    const wrong = right.slice();
    wrong[wrong.length - 5]! ^= 0x55;
    const segments = file(`segments-${version}.pcap`, pcap([right, wrong, RIGHT]));
    const shown = await checksum(segments, '--explain', '2');
    expect(shown.out).toContain('Transmission Control Protocol');
    expect(shown.out).toMatch(/tcp checksum bad[\s\S]*Checksum of tcp at byte/);
    const whole = await checksum(segments, '--explain', '1');
    expect(whole).toMatchObject({ code: 0, out: expect.stringContaining('Transmission Control Protocol') });
    expect((await checksum(segments, '--filter', 'tcp')).out).toContain('2 of 3 packets');
    expect((await checksum(segments, '--filter', '!tcp')).out).toContain('1 of 3 packets');
  });

  it('does not take a capture without packets for right, unless another has some', async () => {
    const empty = file('empty.pcap', pcap([]));
    expect(await checksum(empty)).toMatchObject({
      code: 4,
      out: expect.stringContaining('nothing was checked'),
    });
    expect((await checksum(empty, good)).code).toBe(0);
    expect((await checksum(empty, bad)).code).toBe(1);
  });

  it('refuses one file for two outputs, and the capture as output, by any name', async () => {
    const twice = join(scratch, 'twice.pcap');
    symlinkSync(twice, join(scratch, 'link.pcap'));
    const before = readFileSync(bad);
    expect(await checksum(bad, '--fix', twice, '--write-bad', join(scratch, 'link.pcap'))).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('--fix and --write-bad name the same file'),
    });
    for (const option of ['--fix', '--write-bad']) {
      const ended = await checksum(bad, option, join(scratch, '.', 'bad.pcap'));
      expect(ended).toMatchObject({
        code: 2,
        err: expect.stringContaining(`${option} names a file that is read`),
      });
    }
    expect(readFileSync(bad)).toEqual(before);
    expect((await checksum(bad, '--fix', '/dev/null', '--write-bad', '/dev/null')).code).toBe(1);
  });

  it('does not call right with --explain what has no checksum', async () => {
    const arp = file('arp.pcap', pcap([packet.ethernet().arp({}).bytes()]));
    expect(await checksum(arp, '--explain', '1')).toMatchObject({
      code: 0,
      out: expect.stringContaining('it has no checksum that can be verified'),
    });
  });
});

/** Reads a capture that was written: its packets, and the bytes around them. */
function packetsOf(path: string): Uint8Array[] {
  return readAll(new Uint8Array(readFileSync(path))).packets.map(({ bytes }) => bytes);
}

it('prints what was found up to any byte that a capture may end at, and says so', async () => {
  const whole = pcap([RIGHT, WRONG, RIGHT]);
  const record = 16 + RIGHT.length;
  for (let size = 0; size <= whole.length; size++) {
    const { files, code } = await json(file('prefix.pcap', whole.subarray(0, size)));
    const packets = Math.max(0, Math.floor((size - 24) / record));
    expect(files[0]).toMatchObject({ packets, faultCount: packets >= 2 ? 1 : 0 });
    const isWhole = size >= 24 && (size - 24) % record === 0;
    expect(code, `${size} bytes`).toBe(isWhole ? [4, 0, 1, 1][packets] : 2);
    expect(files[0]!.error === undefined, `${size} bytes`).toBe(isWhole);
  }
});

describe('--fix', () => {
  it('changes only what --layer and --filter select', async () => {
    const header = WRONG.slice();
    header[24]! ^= 0x11;
    const both = file('both.pcap', pcap([header, header, WRONG]));
    const output = join(scratch, 'selected.pcap');
    const byLayer = await checksum(both, '--layer', 'ipv4', '--fix', output);
    expect(byLayer.out).toContain('2 packets changed');
    expect(packetsOf(output)).toEqual([WRONG, WRONG, WRONG]);
    const none = await checksum(both, '--filter', 'udp.srcport == 8', '--fix', output);
    expect(none.out).toContain('0 packets changed');
    expect(packetsOf(output)).toEqual([header, header, WRONG]);
    // Unfinished ones are not faulty, whatever else is written.
    const faulty = join(scratch, 'selected-bad.pcap');
    await checksum(both, '--fix', output, '--write-bad', faulty);
    expect(packetsOf(faulty)).toHaveLength(3);
  });

  it('says what it cannot fix, as nobody knows what should be there', async () => {
    const frame = packet.ethernet().ipv6({}).udp({ checksum: 0, length: 200 }).payload(payload(20)).bytes();
    const path = file('unknown.pcap', pcap([frame]));
    const output = join(scratch, 'unknown-fixed.pcap');
    const { out, code } = await checksum(path, '--fix', output);
    expect(out).toContain('written, 0 packets changed, 1 fault left: what should be there is not known');
    expect(code).toBe(1);
    const { files } = await json(path);
    expect(files[0]!.faults).toMatchObject([{ layer: 'udp', status: 'illegal', got: '0x0000' }]);
    expect(files[0]!.faults[0]).not.toHaveProperty('expected');
    expect(files[0]!.flows[0]).not.toHaveProperty('difference');
  });

  it('writes nothing where it is interrupted, and leaves packets that are not faulty alone', async () => {
    const output = join(scratch, 'interrupted.pcap');
    const progress = { read: 0, size: 0 };
    const aborted = { progress, signal: AbortSignal.abort(new Error('interrupted')) };
    const run = writeFixed(bad, output, new FragmentRepairs(), undefined, aborted);
    await expect(run).rejects.toThrow('interrupted');
    expect(readdirSync(scratch).filter((name) => name.includes('interrupted'))).toEqual([]);
    const signal = new AbortController().signal;
    const faulty = new PacketSet();
    faulty.add(1);
    expect(await writeFixed(bad, output, new FragmentRepairs(), faulty, { progress, signal })).toBe(0);
    faulty.add(2);
    expect(await writeFixed(bad, output, new FragmentRepairs(), faulty, { progress, signal })).toBe(1);
    expect(progress.read).toBeGreaterThan(0);
  });

  it('fills in unfinished checksums, too', async () => {
    const frame = RIGHT.slice();
    // The pseudo-header's sum alone (RFC 768): addresses, protocol, length.
    const sum = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 58;
    frame[40] = sum >> 8;
    frame[41] = sum & 0xff;
    const output = join(scratch, 'unfinished-fixed.pcap');
    const { out, code } = await checksum(file('unfinished.pcap', pcap([RIGHT, frame])), '--fix', output);
    expect(code).toBe(0);
    expect(out).toContain('1 packet changed');
    expect(packetsOf(output)).toEqual([RIGHT, RIGHT]);
  });

  it('changes the wrong checksum and not one other byte', async () => {
    const out = join(scratch, 'fixed.pcap');
    const before = readFileSync(bad);
    expect((await checksum(bad, '--fix', out)).code).toBe(1);
    const after = readFileSync(out);
    const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
    const field = 24 + 16 + RIGHT.length + 16 + 14 + 20 + 6;
    expect(after).toHaveLength(before.length);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every((at) => at === field || at === field + 1)).toBe(true);
    expect(await checksum(out)).toMatchObject({ code: 0 });
  });

  it('keeps comments, unknown blocks, options and times of a pcapng file', async () => {
    const encoder = new PcapngEncoder();
    encoder.section({ comments: ['of the file'], littleEndian: false });
    encoder.interface({ name: 'eth0', ticksPerSecond: 1_000_000_000n, comments: ['of the device'] });
    encoder.packet(WRONG, 0, WRONG.length, 7, 99, WRONG.length, 0, ['of the packet']);
    const written = encoder.take().slice();
    const unknown = Uint8Array.of(0, 0, 0x0b, 0xad, 0, 0, 0, 16, 1, 2, 3, 4, 0, 0, 0, 16);
    const input = file('comments.pcapng', Uint8Array.from([...written, ...unknown]));
    const output = join(scratch, 'comments-fixed.pcapng');
    await checksum(input, '--fix', output);
    const [before, after] = [readFileSync(input), readFileSync(output)];
    const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
    expect([after.length, changed.length > 0 && changed.length <= 2]).toEqual([before.length, true]);
    expect((await checksum(output)).code).toBe(0);
  });

  it('makes inner checksums right before the outer ones that cover them, and the frame check sequence after both', async () => {
    const tunnel = packet
      .ethernet()
      .ipv4({})
      .udp({ destinationPort: 4789, checksum: 0x1111 })
      .vxlan({})
      .ethernet()
      .ipv4({ checksum: 0x2222 })
      .udp({ checksum: 0x3333 })
      .payload(payload(30))
      .bytes();
    const frame = Uint8Array.from([...tunnel, ...frameCheckSequence(tunnel)]);
    const bytes = pcap([frame]);
    // "FCS length present", two words.
    new DataView(bytes.buffer).setUint32(20, 0x2400_0001, true);
    const output = join(scratch, 'tunnel-fixed.pcap');
    expect((await json(file('tunnel.pcap', bytes), '--fix', output)).files[0]!.faultCount).toBe(3);
    expect((await checksum(output)).code).toBe(0);
    const [fixed] = packetsOf(output);
    expect(fixed!.subarray(-4)).toEqual(frameCheckSequence(fixed!.subarray(0, -4)));
  });

  it('writes the checksum of a fragmented datagram into the fragment that holds it', async () => {
    const parts = [RIGHT.subarray(34, 34 + 32), RIGHT.subarray(34 + 32)].map((data, index) =>
      packet
        .ethernet()
        .ipv4({
          source: '10.0.0.1',
          destination: '10.0.0.2',
          protocol: 17,
          identification: 77,
          ...(index === 0 ? { moreFragments: true } : { fragmentOffset: 4 }),
        })
        .payload(data)
        .bytes(),
    );
    parts[1]![50]! ^= 0x0f;
    const output = join(scratch, 'fragments-fixed.pcap');
    expect(
      (await json(file('fragments.pcap', pcap([...parts].reverse())), '--fix', output)).files[0]!.faults,
    ).toMatchObject([{ packet: 2, layer: 'udp', reassembled: true }]);
    const [second, first] = packetsOf(output);
    expect(second).toEqual(parts[1]);
    expect(first).not.toEqual(parts[0]);
    expect((await json(output)).files[0]!.layers.udp).toMatchObject({ good: 1, bad: 0 });
  });

  it('converts to pcapng where the name says so, and refuses what it would have to throw away', async () => {
    const output = join(scratch, 'converted.pcapng');
    expect((await checksum(bad, '--fix', output)).code).toBe(1);
    const { packets } = readAll(new Uint8Array(readFileSync(output)));
    expect(packets.map(({ nanoseconds }) => nanoseconds)).toEqual(
      [0n, 1n, 2n].map((one) => 1_000_000_000_000n + one * 1000n),
    );
    expect((await checksum(output)).code).toBe(0);
    const refused = await checksum(output, '--fix', join(scratch, 'lossy.pcap'));
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringContaining('is pcapng, which is kept as it is'),
    });
    expect(await checksum('-', '--fix', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('reads the capture twice'),
    });
    expect(await checksum(good, bad, '--fix', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining('exactly one'),
    });
  });

  it('writes all four bytes of SCTP’s checksum', async () => {
    const frames = [0x1234_5678, 0].map((checksum) =>
      packet.ethernet().ipv4({}).sctp({ checksum }).payload(payload(20)).bytes(),
    );
    const output = join(scratch, 'sctp-fixed.pcap');
    expect((await json(file('sctp.pcap', pcap(frames)), '--fix', output)).files[0]).toMatchObject({
      layers: { sctp: { bad: 1, offload: 1 } },
      faults: [{ layer: 'sctp', got: '0x12345678' }],
    });
    expect((await json(output)).files[0]!.layers.sctp).toMatchObject({ good: 2, bad: 0, offload: 0 });
  });

  it('copies what cannot be read as it is', async () => {
    const output = join(scratch, 'cut-fixed.pcap');
    expect((await checksum(cut, '--fix', output)).code).toBe(2);
    expect(readFileSync(output)).toHaveLength(readFileSync(cut).length);
    expect((await json(output)).files[0]).toMatchObject({ packets: 2, faultCount: 0 });
  });
});

describe('--write-bad', () => {
  it('keeps the faulty packets, with everything that describes them', async () => {
    const encoder = new PcapngEncoder();
    encoder.section({ comments: ['of the file'] });
    encoder.interface({ name: 'eth0' });
    for (const frame of [RIGHT, WRONG, RIGHT, WRONG])
      encoder.packet(frame, 0, frame.length, 0, 5, frame.length, 0, ['note']);
    const output = join(scratch, 'only-bad.pcapng');
    await checksum(file('some.pcapng', encoder.take().slice()), '--write-bad', output);
    const { packets, error } = readAll(new Uint8Array(readFileSync(output)));
    expect(error).toBeUndefined();
    expect(packets.map(({ bytes, comments }) => [bytes, comments])).toEqual([
      [WRONG, ['note']],
      [WRONG, ['note']],
    ]);
    expect((await json(output)).files[0]!.faults.map(({ packet: number }) => number)).toEqual([1, 2]);
  });

  it('takes the length of a section away that is no longer right', async () => {
    const encoder = new PcapngEncoder();
    encoder.section();
    encoder.interface();
    for (const frame of [RIGHT, WRONG]) encoder.packet(frame, 0, frame.length, 0, 0);
    const bytes = encoder.take().slice();
    new DataView(bytes.buffer).setBigInt64(16, BigInt(bytes.length - 28), true);
    const output = join(scratch, 'section.pcapng');
    await checksum(file('length.pcapng', bytes), '--write-bad', output);
    expect(new DataView(new Uint8Array(readFileSync(output)).buffer).getBigInt64(16, true)).toBe(-1n);
  });
});
