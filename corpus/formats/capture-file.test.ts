import { mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { PCAPNG_BIG_ENDIAN, PCAPNG_LITTLE_ENDIAN, readAll } from '../test-support/captures.ts';
import { CaptureError } from './capture-error.ts';
import { decodeCapture, readCapture } from './capture-file.ts';
import { captureBytes } from './capture-source.ts';
import { writeCapture } from './capture-writer.ts';
import { PcapEncoder } from './pcap.ts';
import { PcapngEncoder } from './pcapng-encoder.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'xdpsim-capture-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function packetsOf(path: string): Promise<Uint8Array[]> {
  const packets: Uint8Array[] = [];
  for await (const batch of readCapture(path)) {
    for (let index = 0; index < batch.count; index++) packets.push(batch.packet(index));
  }
  return packets;
}

function batchOf(packets: number, length: number): PacketBatch {
  const batch = new PacketBatch(packets + 1);
  for (let index = 0; index < packets; index++) batch.push({ packet: new Uint8Array(length).fill(index) });
  return batch;
}

describe('reading a file', () => {
  it('reads either format, plain or gzipped', async () => {
    const expected = readAll(PCAPNG_BIG_ENDIAN).packets.map(({ bytes }) => bytes);
    const path = join(directory, 'a capture');
    await writeFile(path, PCAPNG_BIG_ENDIAN);
    expect(await packetsOf(path)).toEqual(expected);
    await writeFile(path, gzipSync(PCAPNG_BIG_ENDIAN));
    expect(await packetsOf(path)).toEqual(expected);
    const encoder = new PcapEncoder();
    encoder.packet(Uint8Array.of(1), 0, 1, 0, 0);
    await writeFile(path, encoder.take());
    expect(await packetsOf(path)).toEqual([Uint8Array.of(1)]);
  });

  it('names the file in which it is damaged', async () => {
    const path = join(directory, 'cut.pcapng');
    await writeFile(path, PCAPNG_BIG_ENDIAN.subarray(0, 60));
    await expect(packetsOf(path)).rejects.toThrow(
      `${path}: at byte 56: expected a block of at least 12 bytes, found the end of the file after 4 bytes`,
    );
  });

  it('reads all that lies before what is wrong behind gzip data', async () => {
    const path = join(directory, 'behind.pcap.gz');
    const packets = readAll(PCAPNG_BIG_ENDIAN).packets.map(({ bytes }) => bytes);
    const packed = gzipSync(PCAPNG_BIG_ENDIAN);
    const checksum = Uint8Array.from(packed, (byte, at) => (at === packed.length - 8 ? byte ^ 1 : byte));
    for (const [bytes, message] of [
      [checksum, /expected gzip data that are not damaged, found another checksum behind them/],
      [
        Buffer.concat([packed, Buffer.from('garbage')]),
        /expected the end of the gzip data, found something else/,
      ],
    ] as const) {
      await writeFile(path, bytes);
      const read: Uint8Array[] = [];
      const all = async (): Promise<void> => {
        for await (const chunk of captureBytes(path)) read.push(chunk.slice());
      };
      await expect(all()).rejects.toThrow(message);
      expect(Buffer.concat(read)).toEqual(Buffer.from(PCAPNG_BIG_ENDIAN));
    }
    // Another member, and zeros.
    await writeFile(path, Buffer.concat([packed, Buffer.alloc(9)]));
    expect(await packetsOf(path)).toEqual(packets);
  });

  it('says so when gzip data end too early or are damaged', async () => {
    const path = join(directory, 'cut.pcap.gz');
    const packed = gzipSync(PCAPNG_BIG_ENDIAN);
    await writeFile(path, packed.subarray(0, packed.length - 9));
    await expect(packetsOf(path)).rejects.toThrow(/cut\.pcap\.gz: at byte \d+: expected more gzip data/);
    packed[15]! ^= 0xff;
    await writeFile(path, packed);
    await expect(packetsOf(path)).rejects.toThrow(CaptureError);
  });

  it.each([0, 1, 2, 3])('refuses a file of %i bytes', async (length) => {
    const path = join(directory, 'short');
    await writeFile(path, PCAPNG_BIG_ENDIAN.subarray(0, length));
    await expect(packetsOf(path)).rejects.toThrow(
      'expected the magic number of a pcap, pcapng or snoop file, found ',
    );
  });

  it('refuses a directory, and names a file that does not exist', async () => {
    await expect(packetsOf(directory)).rejects.toThrow('expected a capture file, found a directory');
    await expect(packetsOf(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('closes the file when nobody wants the rest', async () => {
    const path = join(directory, 'large.pcap');
    await writeCapture(path, [batchOf(5000, 500)]);
    for (let turn = 0; turn < 50; turn++) {
      for await (const batch of readCapture(path)) if (batch.count > 0) break;
    }
    if (process.platform === 'linux') {
      const open = await Promise.all(
        (await readdir('/proc/self/fd')).map((fd) => readLink(`/proc/self/fd/${fd}`)),
      );
      expect(open).not.toContain(path);
    }
  });
});

async function readLink(path: string): Promise<string> {
  return await readlink(path).catch(() => '');
}

describe('a capture of a gigabyte', () => {
  /** Records over and over, in chunks that end anywhere: one buffer, as from a file. */
  function* endless(head: Uint8Array, records: Uint8Array, total: number): Generator<Uint8Array> {
    yield head;
    const chunk = new Uint8Array(1024 * 1024);
    for (let at = 0; at < total; at += chunk.length) {
      const size = Math.min(chunk.length, total - at);
      for (let filled = 0; filled < size; ) {
        const from = (at + filled) % records.length;
        const piece = records.subarray(from, from + size - filled);
        chunk.set(piece, filled);
        filled += piece.length;
      }
      yield chunk.subarray(0, size);
    }
  }

  it.each(['pcap', 'pcapng'])('passes in constant memory (%s)', async (format) => {
    let head: Uint8Array;
    let records: Uint8Array;
    const lengths = Array.from({ length: 300 }, (_, index) => (index * 37) % 1515);
    if (format === 'pcap') {
      const encoder = new PcapEncoder();
      head = encoder.take().slice();
      for (const length of lengths) encoder.packet(new Uint8Array(length), 0, length, 0, 0);
      records = encoder.take();
    } else {
      const encoder = new PcapngEncoder();
      encoder.section();
      encoder.interface();
      head = encoder.take().slice();
      for (const length of lengths) encoder.packet(new Uint8Array(length), 0, length, 0, 0);
      records = encoder.take();
    }
    const rounds = Math.ceil(1e9 / records.length);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let packets = 0;
    for await (const batch of decodeCapture(endless(head, records, rounds * records.length))) {
      packets += batch.count;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(packets).toBe(rounds * lengths.length);
    expect(most).toBeLessThan(16 * 1024 * 1024);
  });
});

describe('writing a file', () => {
  it.each(['x.pcap', 'x.pcapng'])('writes packets in order (%s)', async (name) => {
    const path = join(directory, name);
    expect(await writeCapture(path, [batchOf(3, 60), batchOf(2, 1500), batchOf(0, 0)])).toBe(5);
    expect((await packetsOf(path)).map((packet) => [packet.length, packet[0]])).toEqual([
      [60, 0],
      [60, 1],
      [60, 2],
      [1500, 0],
      [1500, 1],
    ]);
    const magic = (await readFile(path)).readUInt32LE(0);
    expect(magic).toBe(name === 'x.pcap' ? 0xa1b23c4d : 0x0a0d0d0a);
  });

  it('keeps what a stimulus says beside its frame as a comment, and only there', async () => {
    const path = join(directory, 'x.pcapng');
    const batch = batchOf(1, 60);
    batch.push({ packet: Uint8Array.of(1), metadata: Uint8Array.of(0, 1, 2, 255), ingressIfindex: 4 });
    await writeCapture(path, [batch]);
    expect(readAll(await readFile(path)).packets.map(({ comments }) => comments)).toEqual([
      [],
      ['{"metadata":"000102ff","ingressIfindex":4}'],
    ]);
  });

  it.each(['x.pcapng', 'x.pcap'])(
    'keeps time, wire length and link type of a captured packet (%s)',
    async (name) => {
      const source = join(directory, 'source');
      const path = join(directory, name);
      await writeFile(source, PCAPNG_LITTLE_ENDIAN);
      expect(await writeCapture(path, readCapture(source), { comment: 'copied' })).toBe(2);
      const { packets } = readAll(await readFile(path));
      expect(packets).toEqual(readAll(PCAPNG_LITTLE_ENDIAN).packets);
    },
  );

  it('gives each link type an interface of its own, which pcap cannot', async () => {
    const source = join(directory, 'source');
    const path = join(directory, 'x.pcapng');
    await writeFile(source, PCAPNG_BIG_ENDIAN);
    await writeCapture(path, readCapture(source));
    const copied = readAll(await readFile(path)).packets;
    expect(copied.map(({ linkType }) => linkType)).toEqual([101, 1, 1]);
    expect(copied.map(({ nanoseconds }) => nanoseconds)).toEqual([101_000_001_000n, 4_294_967_298n, 0n]);
    expect(copied.map(({ comments }) => comments)).toEqual([['hi'], [], []]);
    await expect(writeCapture(join(directory, 'x.pcap'), readCapture(source))).rejects.toThrow(
      'a pcap file holds one link type: LINKTYPE_RAW (101), not LINKTYPE_ETHERNET (1) as well',
    );
  });

  it('leaves the old file and nothing else when writing fails midway', async () => {
    const path = join(directory, 'x.pcapng');
    await writeFile(path, 'old');
    await expect(writeCapture(path, [batchOf(1, 10), batchOf(1, 300_000)])).rejects.toThrow(RangeError);
    expect(await readdir(directory)).toEqual(['x.pcapng']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it('writes through a symbolic link, and into a device instead of replacing it', async () => {
    const path = join(directory, 'x.pcapng');
    await writeFile(path, 'old');
    await symlink('x.pcapng', join(directory, 'link'));
    await writeCapture(join(directory, 'link'), [batchOf(1, 10)]);
    expect(await packetsOf(path)).toHaveLength(1);
    if (process.platform !== 'win32') {
      await writeCapture('/dev/null', [batchOf(1, 10)]);
      expect(await readFile('/dev/null')).toHaveLength(0);
    }
  });
});
