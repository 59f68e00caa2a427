/** TC frames of which only the first bytes are linear: what programs see of them in both machines, after each helper. */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { PacketBatch, type SkbInput } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import type { Engine } from './engine.ts';
import { OutcomeBatch, statusName } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

const LENGTH = 200;
const LINEAR = 54;

/** IPv4 and UDP, with a VLAN tag beside where one is asked for. */
function frame(): Uint8Array {
  const packet = Uint8Array.from({ length: LENGTH }, (_, at) => at);
  packet.set([0x08, 0x00, 0x45], 12);
  packet[23] = 17;
  return packet;
}

async function actionOf(engine: Engine, text: string, skb: SkbInput, hook: Hook): Promise<string> {
  const object = writeElf({ main: text }, []);
  const session = await engine.open({ name: 'p', entries: [{ function: 'main', hook }], object }, {});
  const input = new PacketBatch(1);
  input.push({ packet: frame(), skb });
  const output = new OutcomeBatch(1);
  await session.run(input, output);
  await session.close();
  return `${statusName(output.status[0]!)} ${output.action[0]}`;
}

/** What is linear after a call, as both machines have it. */
async function linearAfter(call: string, skb: SkbInput = { linear: LINEAR }): Promise<string> {
  const text = `r6 = r1
    *(u64 *)(r10 - 8) = 0
    ${call}
    r0 = *(u32 *)(r6 + 80)
    r1 = *(u32 *)(r6 + 76)
    r0 -= r1
    exit`;
  const all = [createVmEngine(), createWasmEngine()].map((engine) =>
    actionOf(engine, text, skb, 'tc-egress'),
  );
  const [one, other] = await Promise.all(all);
  expect(other).toBe(one);
  return one!;
}

describe('what is between data and data_end', () => {
  it.each([
    ['is what the frame says', '', LINEAR],
    ['stays where bytes are read', 'r2 = 190\nr3 = r10\nr3 += -8\nr4 = 8\ncall bpf_skb_load_bytes', LINEAR],
    ['stays where nothing is asked for', 'r2 = 0\ncall bpf_skb_pull_data', LINEAR],
    ['stays where less is asked for', 'r2 = 20\ncall bpf_skb_pull_data', LINEAR],
    ['grows to what is asked for', 'r2 = 60\ncall bpf_skb_pull_data', 60],
    ['stays where the frame is too short', 'r2 = 201\ncall bpf_skb_pull_data', LINEAR],
    [
      'grows to where bytes are written',
      'r2 = 100\nr3 = r10\nr3 += -8\nr4 = 8\nr5 = 0\ncall bpf_skb_store_bytes',
      108,
    ],
    ['grows to a checksum that is replaced', 'r2 = 80\nr3 = 0\nr4 = 1\nr5 = 2\ncall bpf_l4_csum_replace', 82],
    ['moves on with a header in front', 'r2 = 8\nr3 = 0\ncall bpf_skb_change_head', LINEAR + 8],
    ['moves on with room behind it', 'r2 = 8\nr3 = 0\nr4 = 0\ncall bpf_skb_adjust_room', LINEAR + 8],
    ['is pulled where room is taken away', 'r2 = -48\nr3 = 0\nr4 = 0\ncall bpf_skb_adjust_room', 34],
    ['is all where the end moves', 'r2 = 190\nr3 = 0\ncall bpf_skb_change_tail', 190],
    ['is all where the end stays', 'r2 = 200\nr3 = 0\ncall bpf_skb_change_tail', 200],
  ])('%s', async (_, call, linear) => {
    expect(await linearAfter(call)).toBe(`ran ${linear}`);
  });

  it('takes in a tag that was beside the frame', async () => {
    const push = 'r2 = 0x81\nr3 = 7\ncall bpf_skb_vlan_push';
    expect(await linearAfter(push)).toBe(`ran ${LINEAR}`);
    expect(await linearAfter(push, { linear: LINEAR, vlan: { tci: 100 } })).toBe(`ran ${LINEAR + 4}`);
  });

  it('is the whole frame where nothing is said', async () => {
    expect(await linearAfter('', { mark: 1 })).toBe(`ran ${LENGTH}`);
    expect(await linearAfter('', { linear: LENGTH })).toBe(`ran ${LENGTH}`);
  });
});
