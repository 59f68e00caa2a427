/** What programs see of devices that no frame alone tells of, in both machines. */
import { expect, it } from 'vitest';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { PacketBatch, type SkbInput } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import type { World } from '../runtime/world.ts';
import { outcomesOf } from './test-support/outcomes-as-text.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

const PACKET = new Uint8Array(60);

/** The action, which is a word of the context, of one packet each. */
async function seen(
  [section, hook, offset]: readonly [section: string, hook: Hook, offset: number],
  skbs: readonly SkbInput[],
  world: World = {},
): Promise<number[][]> {
  const object = writeElf({ main: `r0 = *(u32 *)(r1 + ${offset})\nexit` }, [], {}, { section });
  const program = { name: 'p', object, entries: [{ function: 'main', hook }] };
  const all: number[][] = [];
  for (const engine of [createVmEngine(), createWasmEngine()]) {
    const batch = new PacketBatch(skbs.length);
    for (const skb of skbs)
      batch.push({ packet: PACKET, ingressIfindex: 3, ...(hook === 'xdp' ? {} : { skb }) });
    const lines = await outcomesOf(engine, program, batch, world);
    all.push(lines.slice(0, skbs.length).map((line) => Number(line.split(' ')[2])));
  }
  return all;
}

it('a frame on its way out came in by the device that it says, or by none', async () => {
  const both = await seen(['tc/egress', 'tc-egress', 36], [{}, { ingressIfindex: 7 }, { mark: 1 }]);
  expect(both).toEqual([
    [0, 7, 0],
    [0, 7, 0],
  ]);
});

it('a frame at ingress came in by the device that it is on', async () => {
  expect(await seen(['tc', 'tc-ingress', 36], [{}, { mark: 1 }])).toEqual([
    [3, 3],
    [3, 3],
  ]);
});

it('a program of a device map stands in the entry of the world’s device, never of none', async () => {
  const devmap = ['xdp/devmap', 'xdp', 20] as const;
  expect(await seen(devmap, [{}])).toEqual([[2], [2]]);
  expect(await seen(devmap, [{}], { egressIfindex: 9 })).toEqual([[9], [9]]);
});
