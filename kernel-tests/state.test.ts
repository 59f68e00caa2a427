/**
 * What programs remember: cases are sequences, and after each the maps of every engine hold the same. Here stands
 * what they have to hold, by hand; `programs.test.ts` goes on with generated sequences in the same worlds.
 */
import { describe, expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { builtInPrograms } from '../cli/input/program-source.ts';
import { EngineError, type Session } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { ipv4FromText } from '../sim/packet/addresses.ts';
import { arp, echoRequest, ethernet, frame, ipv4, ipv6, tcp, udp } from '../sim/packet/build.ts';
import { readU64le, toHex } from '../sim/packet/bytes.ts';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import { XDP_ABORTED, XDP_PASS, XDP_REDIRECT } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const MAX_U32 = 0xffff_ffffn;

function programOf(name: string): Program {
  return builtInPrograms().find((program) => program.name === name)!;
}

function worldOf(program: Program, name: string): World {
  return program.definition!.worlds.find((world) => world.name === name)!.world;
}

/** A session with helpers to say in one line what goes in and what is remembered. */
class Memory {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Runs the packets in one batch. @returns their actions */
  async run(...stimuli: Stimulus[]): Promise<number[]> {
    const input = new PacketBatch(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    const output = new OutcomeBatch(stimuli.length);
    await this.#session.run(input, output);
    expect([...output.status], [...output.notes.values()].map(({ message }) => message).join()).toEqual(
      stimuli.map(() => STATUS.ran),
    );
    return [...output.action];
  }

  reset(): Promise<void> {
    return this.#session.reset();
  }

  size(map: string): number {
    return this.#entries(map).length;
  }

  /** The value's 64-bit words; undefined where there is no entry. */
  words(map: string, key: Uint8Array): bigint[] | undefined {
    const found = this.#entries(map).find((entry) => toHex(entry.key) === toHex(key));
    if (found === undefined) return undefined;
    return Array.from({ length: found.value.length / 8 }, (_, word) => readU64le(found.value, word * 8));
  }

  #entries(map: string): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
    return this.#session
      .maps()
      .find(({ definition }) => definition.name === map)!
      .list();
  }
}

const u32 = (value: number): Uint8Array => Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

function remembers(engine: EngineName): void {
  async function within(
    program: string,
    world: string,
    check: (memory: Memory) => Promise<void>,
  ): Promise<void> {
    const subject = programOf(program);
    const session = await createEngine(engine).open(subject, worldOf(subject, world));
    try {
      await check(new Memory(session));
    } finally {
      await session.close();
    }
  }

  describe('layer_coop', () => {
    const RX = 0;
    const TX = 1;
    const pair = (local: string, remote: string): Uint8Array =>
      Uint8Array.of(...ipv4FromText(local), ...ipv4FromText(remote));
    /** What the host `local` gets from `remote`, or sends to it. */
    const received = (local: string, remote: string): Stimulus => ({
      packet: frame(ethernet(), ipv4({ source: remote, destination: local }), udp()),
      entry: RX,
    });
    const sent = (local: string, remote: string): Stimulus => ({
      packet: frame(ethernet(), ipv4({ source: local, destination: remote }), udp()),
      entry: TX,
    });
    const BYTES = 42n;

    it('counts both directions of a pair in one entry, packet by packet', () =>
      within('layer_coop', 'default', async (memory) => {
        await memory.run(
          ...times(5, received('10.0.0.1', '10.0.0.2')),
          ...times(3, sent('10.0.0.1', '10.0.0.2')),
        );
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.2'))).toEqual([
          3n,
          5n,
          3n * BYTES,
          5n * BYTES,
        ]);
        expect(memory.size('trackers')).toBe(1);
        // The other host's view is another pair; and what has been counted stays from batch to batch.
        await memory.run(sent('10.0.0.2', '10.0.0.1'), received('10.0.0.1', '10.0.0.2'));
        expect(memory.words('trackers', pair('10.0.0.2', '10.0.0.1'))).toEqual([1n, 0n, BYTES, 0n]);
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.2'))).toEqual([
          3n,
          6n,
          3n * BYTES,
          6n * BYTES,
        ]);
      }));

    it('gives the last free place to the first new pair, and counts the next one nowhere', () =>
      within('layer_coop', 'nearly full', async (memory) => {
        expect(memory.size('trackers')).toBe(2047);
        const first = received('10.0.0.1', '10.0.0.2');
        const second = received('10.0.0.1', '10.0.0.3');
        await memory.run(first, second, sent('10.0.0.9', '10.0.0.8'), first, second);
        expect(memory.size('trackers')).toBe(2048);
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.2'))).toEqual([0n, 2n, 0n, 2n * BYTES]);
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.3'))).toBeUndefined();
        expect(memory.words('trackers', pair('10.0.0.9', '10.0.0.8'))).toBeUndefined();
        await memory.reset();
        expect(memory.size('trackers')).toBe(2047);
        await memory.run(second, first);
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.3'))).toEqual([0n, 1n, 0n, BYTES]);
        expect(memory.words('trackers', pair('10.0.0.1', '10.0.0.2'))).toBeUndefined();
      }));

    it('goes on counting old pairs when the map is full, beyond 32 bits, and new ones not at all', () =>
      within('layer_coop', 'full', async (memory) => {
        expect(memory.size('trackers')).toBe(2048);
        await memory.run(
          received('10.11.1.1', '10.11.1.2'),
          sent('10.11.1.1', '10.11.1.2'),
          received('10.11.1.2', '10.11.1.1'),
          sent('10.11.1.3', '10.11.1.1'),
          received('10.11.1.3', '10.11.1.1'),
        );
        expect(memory.words('trackers', pair('10.11.1.1', '10.11.1.2'))).toEqual([
          MAX_U32 + 1n,
          MAX_U32 + 1n,
          BYTES,
          BYTES,
        ]);
        expect(memory.words('trackers', pair('10.11.1.2', '10.11.1.1'))).toEqual([
          0n,
          1n,
          MAX_U32,
          MAX_U32 + BYTES,
        ]);
        expect(memory.words('trackers', pair('10.11.1.3', '10.11.1.1'))).toBeUndefined();
        expect(memory.size('trackers')).toBe(2048);
      }));
  });

  describe('proto_count_hash', () => {
    const ofTcp = { packet: frame(ethernet(), ipv4(), tcp()) };
    const ofIcmp = { packet: frame(ethernet(), ipv4(), echoRequest()) };

    it('makes an entry when a protocol is first seen, and one only', () =>
      within('proto_count_hash', 'default', async (memory) => {
        expect(memory.size('rxcnt')).toBe(0);
        await memory.run(ofTcp, ofTcp, { packet: frame(ethernet(), ipv6(), tcp()) }, ofIcmp, {
          packet: frame(ethernet(), arp()),
        });
        expect(memory.size('rxcnt')).toBe(3);
        expect([6, 1, 0, 17].map((key) => memory.words('rxcnt', u32(key)))).toEqual([
          [3n],
          [1n],
          [1n],
          undefined,
        ]);
      }));

    it('counts on in a full map what it has, beyond 32 bits, and passes what finds no place', () =>
      within('proto_count_hash', 'full', async (memory) => {
        expect(await memory.run(ofTcp, ofIcmp, ofTcp, ofIcmp)).toEqual(times(4, XDP_PASS));
        expect(memory.words('rxcnt', u32(6))).toEqual([MAX_U32 + 2n]);
        expect(memory.words('rxcnt', u32(1))).toBeUndefined();
        expect(memory.size('rxcnt')).toBe(256);
      }));
  });

  describe('redirect_map', () => {
    const from = (source: string): Stimulus => ({ packet: frame(ethernet({ source }), ipv4(), udp()) });
    const statistics = (memory: Memory): (bigint[] | undefined)[] =>
      [XDP_ABORTED, XDP_PASS, XDP_REDIRECT].map((action) => memory.words('xdp_stats_map', u32(action)));

    it('counts hits and misses under the action of each', () =>
      within('redirect_map', 'connected', async (memory) => {
        const [known, stranger] = [from('02:00:00:00:00:02'), from('02:00:00:00:00:03')];
        expect(await memory.run(known, stranger, known, known, stranger)).toEqual([
          XDP_REDIRECT,
          XDP_PASS,
          XDP_REDIRECT,
          XDP_REDIRECT,
          XDP_PASS,
        ]);
        expect(statistics(memory)).toEqual([
          [0n, 0n],
          [2n, 84n],
          [3n, 126n],
        ]);
        expect(memory.size('redirect_params')).toBe(3);
      }));

    it('counts what it aborts where the device is missing', () =>
      within('redirect_map', 'empty slot', async (memory) => {
        await memory.run(from('02:00:00:00:00:02'), from('02:00:00:00:00:03'), from('02:00:00:00:00:ff'));
        expect(statistics(memory)).toEqual([
          [2n, 84n],
          [1n, 42n],
          [0n, 0n],
        ]);
      }));

    it('knows all of 256 senders, and counts on where per-CPU counters already stand', () =>
      within('redirect_map', 'crowded', async (memory) => {
        const places = [0, 1, 127, 252];
        const known = places.map((place) => from(`02:00:00:01:00:${place.toString(16).padStart(2, '0')}`));
        expect(await memory.run(...known, from('02:00:00:01:00:fd'))).toEqual([
          ...times(4, XDP_REDIRECT),
          XDP_PASS,
        ]);
        expect(statistics(memory)).toEqual([
          [MAX_U32, MAX_U32],
          [MAX_U32 + 1n, MAX_U32 + 42n],
          [MAX_U32 + 4n, MAX_U32 + 4n * 42n],
        ]);
        await memory.reset();
        expect(statistics(memory)).toEqual(times(3, [MAX_U32, MAX_U32]));
      }));
  });

  it('proto_count counts on where a per-CPU counter already stands', () =>
    within('proto_count', 'beyond 32 bits', async (memory) => {
      await memory.run(...times(3, { packet: frame(ethernet(), ipv4(), udp()) }));
      expect(memory.words('rxcnt', u32(17))).toEqual([MAX_U32 + 3n]);
      expect(memory.words('rxcnt', u32(6))).toEqual([0n]);
    }));

  it.each([
    ['layer_coop', 'trackers', 2048, 8, 32],
    ['proto_count_hash', 'rxcnt', 256, 4, 8],
    ['redirect_map', 'redirect_params', 256, 6, 6],
  ])(
    '%s: a world that overfills %s is bad input, one that fills it is not',
    async (name, map, places, keySize, size) => {
      const program = programOf(name);
      const filled = (count: number): World => ({
        maps: {
          [map]: Array.from({ length: count }, (_, index) => {
            const key = new Uint8Array(keySize);
            key.set(u32(index));
            return { key, value: new Uint8Array(size) };
          }),
        },
      });
      await (await createEngine(engine).open(program, filled(places))).close();
      const refusal: unknown = await createEngine(engine)
        .open(program, filled(places + 1))
        .catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(EngineError);
      expect((refusal as EngineError).kind).toBe('input');
      expect((refusal as EngineError).message).toContain(map);
    },
  );
}

for (const engine of ['model', 'vm', 'wasm'] as const) describe(`engine ${engine}`, () => remembers(engine));
describeKernel('engine testrun', ['testrun'], () => remembers('testrun'));
