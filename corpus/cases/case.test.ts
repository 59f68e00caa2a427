import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import { PcapEncoder } from '../formats/pcap.ts';
import { PcapngEncoder } from '../formats/pcapng-encoder.ts';
import { bytesOf, PCAPNG_BIG_ENDIAN, readAll } from '../test-support/captures.ts';
import { type Case, casesFromCapture, encodeCase, loadCase, saveCase } from './case.ts';
import { headerFromComments, headerToComments, PART_LENGTH } from './case-header.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'xdpsim-case-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const uint32 = fc.nat(0xffff_ffff);
const bytes = fc.uint8Array({ maxLength: 8 });
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 });
/** `__proto__` is no name that C could give a map. */
const name = fc.string().filter((text) => text !== '__proto__');

const world: fc.Arbitrary<World> = fc.record(
  {
    devices: fc.array(
      fc.record(
        { ifindex: uint32, name: fc.string(), mac, mtu: uint32, forwarding: fc.boolean() },
        { requiredKeys: ['ifindex', 'name', 'mac'] },
      ),
    ),
    routes: fc.array(fc.record({ to: fc.string(), via: fc.string() }, { requiredKeys: ['to'] })),
    neighbours: fc.array(fc.record({ ifindex: uint32, address: fc.string(), mac })),
    maps: fc.dictionary(name, fc.array(fc.record({ key: bytes, value: bytes })), { noNullPrototype: true }),
    globals: fc.dictionary(name, bytes, { noNullPrototype: true }),
    time: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    randomSeed: uint32,
    cpu: uint32,
  },
  { requiredKeys: [] },
);

/** With the defaults both present and absent. */
const stimulus: fc.Arbitrary<Stimulus> = fc.record(
  {
    packet: fc.uint8Array({ maxLength: 100 }),
    metadata: fc.uint8Array({ maxLength: 32 }),
    ingressIfindex: fc.oneof(fc.constant(1), uint32),
    rxQueueIndex: fc.oneof(fc.constant(0), uint32),
    entry: fc.nat(255),
  },
  { requiredKeys: ['packet'] },
);

const anyCase: fc.Arbitrary<Case> = fc.record(
  {
    program: fc.string({ unit: 'binary' }),
    world,
    stimuli: fc.array(stimulus),
    note: fc.record(
      {
        seed: fc.string(),
        engines: fc.array(fc.string()),
        field: fc.string(),
        summary: fc.string({ unit: 'binary' }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['program', 'world', 'stimuli'] },
);

/** Defaults written out, so that an absent field equals one that has its default. */
function complete({ packet, metadata, ingressIfindex, rxQueueIndex, entry }: Stimulus): Stimulus {
  return {
    packet,
    metadata: metadata ?? new Uint8Array(0),
    ingressIfindex: ingressIfindex ?? 1,
    rxQueueIndex: rxQueueIndex ?? 0,
    entry: entry ?? 0,
  };
}

function completed(value: Case): Case {
  return { ...value, stimuli: value.stimuli.map(complete) };
}

const SMALL: Case = {
  program: 'icmp_echo',
  world: { time: 5n, maps: { hex: [{ key: Uint8Array.of(1), value: Uint8Array.of(2) }] } },
  stimuli: [
    { packet: Uint8Array.of(1, 2, 3) },
    {
      packet: new Uint8Array(0),
      metadata: Uint8Array.of(0, 0, 0, 1),
      ingressIfindex: 3,
      rxQueueIndex: 2,
      entry: 1,
    },
  ],
  note: {
    seed: '42',
    engines: ['model', 'testrun'],
    field: 'icmp.checksum',
    summary: 'folded once → 0xfffe',
  },
};

describe('a saved case', () => {
  it('is loaded as it was', async () => {
    const path = join(directory, 'case.pcapng');
    await saveCase(path, SMALL);
    expect(await loadCase(path)).toEqual(SMALL);
  });

  it('is loaded as it was, whatever is in it', async () => {
    const path = join(directory, 'case.pcapng');
    await fc.assert(
      fc.asyncProperty(anyCase, async (value) => {
        await writeFile(path, encodeCase(value));
        expect(completed(await loadCase(path))).toEqual(completed(value));
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it('shows its packets without metadata, in order of time, with comments only where they say something', () => {
    const { packets } = readAll(encodeCase(SMALL));
    expect(packets).toEqual([
      {
        bytes: Uint8Array.of(1, 2, 3),
        original: 3,
        nanoseconds: 0n,
        linkType: 1,
        interface: 0,
        comments: [],
      },
      {
        bytes: new Uint8Array(0),
        original: 0,
        nanoseconds: 1000n,
        linkType: 1,
        interface: 0,
        comments: ['{"metadata":"00000001","ingressIfindex":3,"rxQueueIndex":2,"entry":1}'],
      },
    ]);
  });

  it('has the same bytes every time', () => {
    expect(encodeCase(SMALL)).toEqual(encodeCase(structuredClone(SMALL)));
  });

  it('may have no packets', async () => {
    const path = join(directory, 'case.pcapng');
    await saveCase(path, { ...SMALL, stimuli: [] });
    expect(await loadCase(path)).toEqual({ ...SMALL, stimuli: [] });
  });

  it('holds a world far larger than one comment', async () => {
    const path = join(directory, 'case.pcapng');
    const flows = Array.from({ length: 50_000 }, (_, index) => ({
      key: Uint8Array.of(index >> 8, index),
      value: new Uint8Array(8).fill(index),
    }));
    const large: Case = { ...SMALL, world: { maps: { flows, 'ä→😀': [] } } };
    await saveCase(path, large);
    expect(await loadCase(path)).toEqual(large);
  });

  it('survives comments that people add in Wireshark', async () => {
    const path = join(directory, 'case.pcapng');
    const encoder = new PcapngEncoder();
    encoder.section({ comments: ['look here', ...headerToComments(SMALL), 'and there'] });
    encoder.interface();
    encoder.packet(Uint8Array.of(7), 0, 1, 0, 0, 1, 0, ['the culprit', '{"entry":1}', 'see above']);
    await writeFile(path, encoder.take());
    expect(await loadCase(path)).toEqual({ ...SMALL, stimuli: [{ packet: Uint8Array.of(7), entry: 1 }] });
  });
});

describe('the head of a case', () => {
  it.each([-2, -1, 0, 1, 2])('is read back when it fills its parts but for %i bytes', (more) => {
    const program = (parts: number): string => {
      const empty = headerToComments({ program: '', world: {} })[0]!.length;
      return 'x'.repeat(parts * PART_LENGTH - empty + more);
    };
    for (const parts of [1, 2, 3]) {
      const header = { program: program(parts), world: {} };
      expect(headerFromComments([...headerToComments(header), 'a comment'])).toEqual(header);
    }
  });

  it('is refused when no file could hold it', () => {
    expect(() => headerToComments({ program: 'x'.repeat(15 * 1024 * 1024), world: {} })).toThrow(RangeError);
  });
});

describe('a file that is no good case', () => {
  async function load(comments: string[], packetComments: string[] = []): Promise<Case> {
    const path = join(directory, 'bad.pcapng');
    const encoder = new PcapngEncoder();
    encoder.section({ comments });
    encoder.interface();
    encoder.packet(Uint8Array.of(1), 0, 1, 0, 0, 1, 0, packetComments);
    await writeFile(path, encoder.take());
    return await loadCase(path);
  }
  const head = '{"xdpsim":1,"program":"p","world":{}}';

  it.each([
    [[], 'bad.pcapng: at byte 0: expected a section comment with program, world and note, found a capture'],
    [['{"xdpsim":1,'], 'the header of a case: is not valid JSON: '],
    [
      ['{"xdpsim":2,"program":"p","world":{}}'],
      'written in another version of the form; this xdpsim reads version 1',
    ],
    [['{"xdpsim":1,"world":{}}'], 'the header of a case: program: is missing'],
    [
      ['{"xdpsim":1,"program":"p","world":{"devices":7}}'],
      'at byte 0: the header of a case: world.devices: expected a list, got 7',
    ],
    [
      ['{"xdpsim":1,"program":"p","world":{},"engine":""}'],
      'engine: unknown field; known are xdpsim, program, world, note',
    ],
    [['{"xdpsim":1,"program":"p","world":{},"note":{"seed":1}}'], 'note.seed: expected a string, got 1'],
  ])('is refused: section comments %j', async (comments, message) => {
    await expect(load(comments)).rejects.toThrow(message);
    await expect(load(comments)).rejects.toMatchObject({ name: 'CaptureError', offset: 0 });
  });

  it.each([
    ['{', 'the comment of a packet: is not valid JSON: '],
    ['{"metadata":"0"}', 'metadata: expected an even number of hexadecimal digits, got "0"'],
    ['{"ingressIfindex":-1}', 'ingressIfindex: expected an integer from 0 to 4294967295, got -1'],
    ['{"entry":256}', 'entry: expected an integer from 0 to 255, got 256'],
    ['{"ifindex":1}', 'ifindex: unknown field; '],
  ])('is refused: packet comment %j', async (comment, message) => {
    await expect(load([head], [comment])).rejects.toThrow(message);
  });

  it('is refused when its packets would fill the memory', async () => {
    const path = join(directory, 'large.pcapng');
    const encoder = new PcapngEncoder();
    encoder.section({ comments: [head] });
    encoder.interface();
    await writeFile(path, encoder.take());
    const packet = new Uint8Array(262_144);
    for (let turn = 0; turn < 16; turn++) encoder.packet(packet, 0, packet.length, 0, 0);
    const packets = encoder.take();
    const file = await open(path, 'a');
    for (let turn = 0; turn < 65; turn++) await file.write(packets);
    await file.close();
    await expect(loadCase(path)).rejects.toThrow(
      'expected a case of at most 1000000 packets and 268435456 bytes, found one more packet',
    );
  });

  it('is refused when it holds two cases', async () => {
    const path = join(directory, 'two.pcapng');
    await writeFile(path, new Uint8Array([...encodeCase(SMALL), ...encodeCase(SMALL)]));
    await expect(loadCase(path)).rejects.toThrow(
      'two.pcapng: at byte 0: expected one case, found a second one',
    );
  });

  it('is refused in one error, whatever damage was done to it', async () => {
    const path = join(directory, 'bad.pcapng');
    const intact = encodeCase(SMALL);
    await fc.assert(
      fc.asyncProperty(fc.nat(intact.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
        const bad = cut ? intact.slice(0, at) : intact.slice();
        if (!cut) bad[at] = byte;
        await writeFile(path, bad);
        await loadCase(path).catch((error: Error) => expect(error.name).toBe('CaptureError'));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('cases from a capture', () => {
  async function cases(capture: Uint8Array, packetsPerCase?: number): Promise<Case[]> {
    const path = join(directory, 'capture');
    await writeFile(path, capture);
    const options = { program: 'p', ...(packetsPerCase === undefined ? {} : { packetsPerCase }) };
    const all: Case[] = [];
    for await (const value of casesFromCapture(path, options)) all.push(value);
    return all;
  }

  it('are its packets in the default world, cut into cases of the given size', async () => {
    const encoder = new PcapEncoder();
    for (let index = 0; index < 5; index++) encoder.packet(Uint8Array.of(index), 0, 1, 0, 0);
    const parts = await cases(encoder.take(), 2);
    expect(parts.map(({ stimuli }) => stimuli.map(({ packet }) => packet[0]))).toEqual([[0, 1], [2, 3], [4]]);
    expect(parts[0]).toEqual({
      program: 'p',
      world: {},
      stimuli: [{ packet: Uint8Array.of(0) }, { packet: Uint8Array.of(1) }],
    });
  });

  it('cannot be cut into cases of nothing', async () => {
    await expect(cases(new PcapEncoder().take(), 0)).rejects.toThrow(RangeError);
  });

  it('are none for a capture without packets', async () => {
    expect(await cases(new PcapEncoder().take())).toEqual([]);
  });

  it('are the saved ones of case files, one after the other, whatever program was named', async () => {
    const both = new Uint8Array([
      ...encodeCase(SMALL),
      ...encodeCase({ ...SMALL, stimuli: [] }),
      ...PCAPNG_BIG_ENDIAN,
    ]);
    const [first, second, third] = await cases(both);
    expect(first).toEqual(SMALL);
    expect(second).toEqual({ ...SMALL, stimuli: [] });
    expect(third?.program).toBe('p');
  });

  it('get an Ethernet header where the capture has bare IP packets, and lose a frame check sequence', async () => {
    const raw = new PcapEncoder({ linkType: 101 });
    raw.packet(bytesOf('4500'), 0, 2, 0, 0);
    raw.packet(bytesOf('6000'), 0, 2, 0, 0);
    const [bare] = await cases(raw.take());
    expect(bare?.stimuli).toEqual([
      { packet: bytesOf('000000000000 000000000000 0800 4500') },
      { packet: bytesOf('000000000000 000000000000 86dd 6000') },
    ]);
    const withFcs = new PcapngEncoder();
    withFcs.section();
    withFcs.interface({ fcsLength: 4 });
    withFcs.packet(bytesOf('0102030405 deadbeef'), 0, 9, 0, 0);
    withFcs.packet(bytesOf('0102030405'), 0, 5, 0, 0, 64);
    const [checked] = await cases(withFcs.take());
    expect(checked?.stimuli).toEqual([{ packet: bytesOf('0102030405') }, { packet: bytesOf('0102030405') }]);
  });

  it('are refused for a link type without a place for an Ethernet header', async () => {
    const cooked = new PcapEncoder({ linkType: 113 });
    cooked.packet(new Uint8Array(16), 0, 16, 0, 0);
    await expect(cases(cooked.take())).rejects.toThrow(
      'at byte 40: expected a packet that an Ethernet frame can carry, found LINKTYPE_LINUX_SLL (113)',
    );
  });
});

describe('a process that is killed while it saves', () => {
  it('leaves the old file whole under its name', async () => {
    const path = join(directory, 'case.pcapng');
    await saveCase(path, SMALL);
    const program = `
      import { writeAtomically } from ${JSON.stringify(new URL('../files/atomic-file.ts', import.meta.url).href)};
      async function* pieces() {
        yield new Uint8Array(100_000);
        process.stdout.write('half');
        await new Promise((resolve) => setTimeout(resolve, 1e9));
      }
      await writeAtomically(${JSON.stringify(path)}, pieces());`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const left = (await readdir(directory)).filter((file) => file !== 'case.pcapng');
    expect(left).toHaveLength(1);
    expect(await readFile(join(directory, left[0]!))).toHaveLength(100_000);
    expect(await loadCase(path)).toEqual(SMALL);
  });

  it('sees the file under its name only when it is complete', async () => {
    const path = join(directory, 'case.pcapng');
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield Uint8Array.of(1);
      expect(await readdir(directory)).not.toContain('case.pcapng');
      yield Uint8Array.of(2);
    }
    await writeAtomically(path, pieces());
    expect(await readFile(path)).toEqual(Buffer.of(1, 2));
  });
});
