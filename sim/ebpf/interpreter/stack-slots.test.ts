/**
 * Every kind of access to the stack, at every kind of place: whatever a slot holds, both machines answer alike, and
 * what was never written is what the world says.
 */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { comparable, compileAndRun, interpret } from '../test-support/run-both.ts';
import { STACK_ACCESSES } from '../test-support/stack-accesses.ts';

function batch(): PacketBatch {
  const packets = new PacketBatch(1);
  packets.push({ packet: Uint8Array.from({ length: 64 }, (_, index) => index) });
  return packets;
}

describe('the interpreter and WebAssembly', () => {
  for (const [what, texts] of STACK_ACCESSES) {
    it(`answer alike to ${what}`, () => {
      for (const text of texts) {
        const object = testObject({ main: text });
        const world = { stackFill: 0x5a };
        const judged = interpret(object, batch(), { world });
        expect(comparable(compileAndRun(object, batch(), { world })), text).toEqual(comparable(judged));
      }
    });
  }
});

describe('bytes of the stack that were never written', () => {
  const packet = 'r7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr2 = r7\nr2 += 16\nif r2 > r8 goto out';
  const programs: Readonly<Record<string, string>> = {
    'a load': `r6 = r1\n*(u32 *)(r10 - 4) = 0\n${packet}\nr1 = *(u64 *)(r10 - 8)\n*(u64 *)(r7 + 0) = r1\nout:\nr0 = 2\nexit`,
    'a load after one of two ways': `r6 = r1\n${packet}\nr1 = *(u8 *)(r7 + 0)\nif r1 == 9 goto in\n*(u64 *)(r10 - 8) = r1\nin:\nr1 = *(u64 *)(r10 - 16)\n*(u64 *)(r7 + 0) = r1\nr1 = *(u64 *)(r10 - 8)\n*(u64 *)(r7 + 8) = r1\nout:\nr0 = 2\nexit`,
    'a value that a helper is given': `r6 = r1\n*(u32 *)(r10 - 20) = 1\n*(u32 *)(r10 - 16) = 7\nr1 = map[a]\nr2 = r10\nr2 += -20\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_map_update_elem\nr0 = 2\nexit`,
    'a function that reads its caller’s frame': `r6 = r1\n${packet}\nr1 = r10\nr1 += -8\ncall f\n*(u64 *)(r7 + 0) = r0\nout:\nr0 = 2\nexit\nf:\nr0 = *(u64 *)(r1 + 0)\nexit`,
    'an addition to them': `r6 = r1\n${packet}\nr1 = 1\nlock *(u64 *)(r10 - 8) += r1\nr1 = *(u64 *)(r10 - 8)\n*(u64 *)(r7 + 0) = r1\nout:\nr0 = 2\nexit`,
  };
  const maps = [testMap('a', 'ARRAY')];

  for (const [what, text] of Object.entries(programs)) {
    it(`hold what the world says, whatever was there before: ${what}`, () => {
      const object = testObject({ main: text }, maps);
      const seen = [0, 0xa5, 0x8123_4567_89ab_cdefn].map((stackFill) => {
        const judged = interpret(object, batch(), { world: { stackFill } });
        expect(judged.outcomes[0]).toMatchObject({ warned: true, stoppedAt: undefined });
        expect(comparable(compileAndRun(object, batch(), { world: { stackFill } }))).toEqual(
          comparable(judged),
        );
        return JSON.stringify(comparable(judged));
      });
      expect(new Set(seen).size).toBe(3);
    });
  }

  it('are not reported where all that is read was written', () => {
    const text = `r6 = r1\n*(u64 *)(r10 - 8) = 0\n${packet}\nr1 = *(u32 *)(r10 - 4)\n*(u64 *)(r7 + 0) = r1\nout:\nr0 = 2\nexit`;
    expect(interpret(testObject({ main: text }), batch()).outcomes[0]).toMatchObject({ warned: false });
  });
});
