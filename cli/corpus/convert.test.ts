import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { encodeCase } from '../../corpus/cases/case.ts';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { PcapngEncoder } from '../../corpus/formats/pcapng-encoder.ts';
import { readAll } from '../../corpus/test-support/captures.ts';
import { fromHex } from '../../sim/packet/bytes.ts';
import { convert } from './convert.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-convert-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const FRAME = '0200000000010200000000020800';
const SUMMARY = 'ethernet 02:00:00:00:00:02 → 02:00:00:00:00:01';

async function converted(text: string, out: string): Promise<string> {
  const from = join(scratch, 'from.hex');
  writeFileSync(from, text);
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await convert([from], { out: join(scratch, out) }, undefined);
  } finally {
    vi.restoreAllMocks();
  }
  return readFileSync(join(scratch, out), 'utf8');
}

describe('corpus convert', () => {
  it('keeps the description of each packet of a list', async () => {
    const text = `# the first\n${FRAME}\n// the second\n${FRAME}\n`;
    expect(await converted(text, 'to.hex')).toBe(`# the first\n${FRAME}\n# the second\n${FRAME}\n`);
    expect(JSON.parse(await converted(text, 'to.json'))).toEqual([
      { packet: FRAME, description: 'the first' },
      { packet: FRAME, description: 'the second' },
    ]);
  });

  it('describes a packet that has no description by its headers', async () => {
    const text = `# the first\n${FRAME}\n${FRAME}   # left out\n`;
    expect(await converted(text, 'to.hex')).toBe(`# the first\n${FRAME}\n# ${SUMMARY}\n${FRAME}\n`);
  });
});

describe('what a capture says of its packets beside their bytes', () => {
  const frame = fromHex(FRAME);
  const file = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(scratch, name), bytes);
    return join(scratch, name);
  };
  async function kept(files: readonly string[], out: string): Promise<[bigint, number][]> {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    await convert(files, { out: join(scratch, out) }, undefined);
    vi.restoreAllMocks();
    const { packets } = readAll(readFileSync(join(scratch, out)));
    return packets.map(({ nanoseconds, original }) => [nanoseconds, original]);
  }
  function pcap(): string {
    const encoder = new PcapEncoder();
    encoder.packet(frame, 0, frame.length, 1_700_000_000, 123_456);
    encoder.packet(frame, 0, frame.length, 1_700_000_001, 7, 1514);
    return file('from.pcap', encoder.take().slice());
  }
  const OF_PCAP: [bigint, number][] = [
    [1_700_000_000_123_456_000n, 14],
    [1_700_000_001_000_007_000n, 1514],
  ];

  it.each(['to.pcapng', 'to.pcap'])('stays: times and lengths on the wire (%s)', async (out) => {
    expect(await kept([pcap()], out)).toEqual(OF_PCAP);
  });

  it.each(['to.pcapng', 'to.pcap'])('stays to the nanosecond, without check sequences (%s)', async (out) => {
    const encoder = new PcapngEncoder();
    encoder.section();
    encoder.interface({ ticksPerSecond: 1_000_000_000n, fcsLength: 4 });
    const long = new Uint8Array(18);
    long.set(frame);
    const ticks = 1_700_000_000_123_456_789n;
    // Whole; two bytes of the check sequence cut off; that and ten bytes more.
    for (const [length, original] of [
      [18, 18],
      [16, 18],
      [14, 28],
    ] as const)
      encoder.packet(long, 0, length, Number(ticks >> 32n), Number(ticks & 0xffff_ffffn), original);
    expect(await kept([file('fcs.pcapng', encoder.take().slice())], out)).toEqual([
      [ticks, 14],
      [ticks, 14],
      [ticks, 24],
    ]);
  });

  it('is nothing in lists and saved cases: their packets follow a microsecond behind the one before', async () => {
    const list = file('list.hex', new TextEncoder().encode(`${FRAME}\n${FRAME}\n`));
    const stimuli = [{ packet: frame }, { packet: frame }];
    const saved = file('saved.pcapng', encodeCase({ program: 'icmp_echo', world: {}, stimuli }));
    expect((await kept([list, saved], 'to.pcap')).map(([time]) => time)).toEqual([0n, 1000n, 2000n, 3000n]);
    const [, last] = OF_PCAP;
    expect(await kept([pcap(), list], 'to.pcap')).toEqual([
      ...OF_PCAP,
      [last![0] + 1000n, 14],
      [last![0] + 2000n, 14],
    ]);
  });
});
