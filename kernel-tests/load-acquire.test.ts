/** Where the kernel takes load-acquire and store-release, and where it refuses them, all three readers of the machine's rules do. */
import { expect, it } from 'vitest';
import { Machine } from '../sim/ebpf/machine.ts';
import { testMap, testObject } from '../sim/ebpf/test-support/assemble.ts';
import { lockstep } from '../sim/ebpf/test-support/lockstep.ts';
import { compileAndRun, interpret } from '../sim/ebpf/test-support/run-both.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { Refused, runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** r6 points to at least 16 bytes. */
const MEMORY: Readonly<Record<string, string>> = {
  'a map value':
    'r2 = 0\n*(u32 *)(r10 - 4) = r2\nr1 = map[value]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr6 = r0',
  'the stack': 'r2 = 0\n*(u64 *)(r10 - 16) = r2\n*(u64 *)(r10 - 8) = r2\nr6 = r10\nr6 += -16',
  'the packet': 'r6 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r6\nr4 += 16\nif r4 > r3 goto out',
  'the context': 'r6 = r1',
  'no memory': 'r6 = 64',
};
const SIZES = [8, 16, 32, 64];

function programs(setUp: string): string[] {
  return SIZES.flatMap((bits) =>
    [0, 1, 2, 4, 8].flatMap((at) => [
      `${setUp}\nr7 = load_acquire((u${bits} *)(r6 + ${at}))\nout:\nr0 = 2\nexit`,
      `${setUp}\nr7 = 5\nstore_release((u${bits} *)(r6 + ${at}), r7)\nout:\nr0 = 2\nexit`,
    ]),
  );
}

describeKernel('load-acquire and store-release', ['root', 'libbpf', 'testrun', 'linux 6.15'], () => {
  it.each(Object.entries(MEMORY))('of %s are taken and refused as by the kernel', (_what, setUp) => {
    const batch = new PacketBatch(1);
    batch.push({ packet: new Uint8Array(64) });
    for (const text of programs(setUp)) {
      const object = testObject({ main: text }, [
        testMap('value', 'ARRAY', { valueSize: 16, maxEntries: 1 }),
      ]);
      let isTaken = true;
      try {
        runInKernel(object, batch);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        isTaken = false;
      }
      for (const run of [interpret, compileAndRun])
        expect(run(object, batch).outcomes[0]!.stoppedAt === undefined, text).toBe(isTaken);
      // The symbolic reader stops where the interpreter does.
      const machine = new Machine(object, {});
      const path = { machine, program: 0, hook: 'xdp', packet: new Uint8Array(64), mostSteps: 100 } as const;
      const { difference, left } = lockstep(path);
      expect(difference, text).toBeUndefined();
      expect(left === undefined, `${text}: ${left}`).toBe(isTaken);
    }
  });
});
