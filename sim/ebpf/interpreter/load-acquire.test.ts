/** Load-acquire and store-release (RFC 9669 has none; kernel/bpf/verifier.c, `check_atomic_load`, `check_atomic_store`, Linux 6.15). */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { compileAndRun, interpret } from '../test-support/run-both.ts';
import { runText } from '../test-support/run-text.ts';

const MAP = testMap('value', 'ARRAY', { valueSize: 16, maxEntries: 1 });
const BYTES = Uint8Array.of(0x88, 0x97, 0xa6, 0xf5, 0xc4, 0xd3, 0xe2, 0x91);
const world = { maps: { value: [{ key: new Uint8Array(4), value: Uint8Array.of(...BYTES, ...BYTES) }] } };
const SIZES = [8, 16, 32, 64] as const;

/** r0 and the map's value afterwards; both machines come to the same. */
function run(text: string): { readonly r0: bigint; readonly value: number[] } {
  const { r0, machine, violation } = runText(`r1 = map[value]+0\n${text}\nexit`, { maps: [MAP], world });
  expect(violation).toBeUndefined();
  const object = testObject({ main: `r1 = map[value]+0\n${text}\nexit` }, [MAP]);
  const batch = new PacketBatch(1);
  batch.push({ packet: new Uint8Array(64) });
  const [interpreted, compiled] = [interpret, compileAndRun].map((one) => one(object, batch, { world }));
  expect(compiled!.outcomes).toMatchObject([{ action: Number(BigInt.asIntN(32, r0)), stoppedAt: undefined }]);
  expect(compiled!.maps).toEqual(interpreted!.maps);
  return { r0, value: [...machine.maps[0]!.snapshot()!.list()[0]!.value] };
}

function reason(text: string): string | undefined {
  return runText(text, { maps: [MAP], world }).violation?.reason;
}

describe.each(SIZES)('of %i bits', (bits) => {
  const size = bits / 8;
  const loaded = BYTES.subarray(0, size).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

  it('a load gives a number without a sign, and leaves memory as it was', () => {
    const { r0, value } = run(`r0 = -1\nr0 = load_acquire((u${bits} *)(r1 + 8))`);
    expect(r0).toBe(loaded);
    expect(value).toEqual([...BYTES, ...BYTES]);
    // The lower half comes out as the action, the upper half here.
    expect(run(`r0 = load_acquire((u${bits} *)(r1 + 0))\nr0 >>= 32`).r0).toBe(loaded >> 32n);
  });

  it('a store writes so many bytes, and leaves registers as they were', () => {
    const stored = 0x1122_3344_5566_7788n;
    const { r0, value } = run(`r0 = 0x1122334455667788 ll\nstore_release((u${bits} *)(r1 + 8), r0)`);
    expect(r0).toBe(stored);
    const expected = [...BYTES, ...BYTES];
    for (let at = 0; at < size; at++) expected[8 + at] = Number((stored >> BigInt(8 * at)) & 0xffn);
    expect(value).toEqual(expected);
  });

  it('the stack keeps what was stored', () => {
    const store = `r2 = r10\nr3 = 77\nstore_release((u${bits} *)(r2 - 8), r3)`;
    expect(run(`${store}\nr0 = load_acquire((u${bits} *)(r10 - 8))`).r0).toBe(77n);
  });

  it('memory that is no such thing is refused, to be read and to be written', () => {
    for (const [access, word] of [
      [`r0 = load_acquire((u${bits} *)(r1 + 16))`, 'value_size=16'],
      [`r3 = 1\nstore_release((u${bits} *)(r1 + 16), r3)`, 'value_size=16'],
      [`r1 = 64\nr0 = load_acquire((u${bits} *)(r1 + 0))`, "R1 invalid mem access 'scalar'"],
      [`r1 = 64\nr3 = 1\nstore_release((u${bits} *)(r1 + 0), r3)`, "R1 invalid mem access 'scalar'"],
      [`r0 = load_acquire((u${bits} *)(r5 + 0))`, 'R5 !read_ok'],
      [`store_release((u${bits} *)(r1 + 0), r5)`, 'R5 !read_ok'],
    ] as const)
      expect(reason(`r1 = map[value]+0\n${access}\nr0 = 0\nexit`), access).toContain(word);
  });
});
