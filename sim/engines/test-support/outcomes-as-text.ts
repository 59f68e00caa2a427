/** What an engine makes of packets, as lines of text that are compared. For tests only. */
import { createHash } from 'node:crypto';
import { toHex } from '../../packet/bytes.ts';
import type { PacketBatch } from '../../packet/packet-batch.ts';
import type { Program } from '../../runtime/program.ts';
import type { World } from '../../runtime/world.ts';
import type { Engine } from '../engine.ts';
import { OutcomeBatch } from '../outcome-batch.ts';

/** Of long frames the begin, and a digest of all of it: text of every byte takes longer than all the rest. */
function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= 256) return toHex(bytes);
  const digest = createHash('sha1').update(bytes).digest('hex');
  return `${toHex(bytes.subarray(0, 64))}… ${bytes.length} bytes ${digest}`;
}

function lineOf(output: OutcomeBatch, packet: number): string {
  const cb = output.cb.subarray(packet * 5, packet * 5 + 5).join();
  const [low, high] = output.tstamp.subarray(packet * 2, packet * 2 + 2);
  const tstamp = low === 0 && high === 0 ? '' : ` ${high}:${low}`;
  const skb = `${output.mark[packet]} ${output.priority[packet]} ${cb}${tstamp}`;
  const bytes = `${toHex(output.metadata(packet))} ${bytesText(output.packet(packet))}`;
  const printed = output.trace.get(packet)?.join(' / ') ?? '';
  const note = output.status[packet] === 0 ? '' : output.notes.get(packet)?.message;
  return `${output.status[packet]} ${output.action[packet]} ${skb} ${bytes} ${printed} ${note}`;
}

/** What each packet came to, and the maps at the end, as text. @param input one batch, or several, one after the other */
export async function outcomesOf(
  engine: Engine,
  program: Program,
  input: PacketBatch | readonly PacketBatch[],
  world: World = { cpu: 0 },
): Promise<string[]> {
  const session = await engine.open(program, world);
  try {
    const lines: string[] = [];
    for (const batch of Array.isArray(input) ? (input as readonly PacketBatch[]) : [input as PacketBatch]) {
      const output = new OutcomeBatch(batch.count);
      await session.run(batch, output);
      for (let packet = 0; packet < batch.count; packet++)
        lines.push(`${lines.length}: ${lineOf(output, packet)}`);
    }
    for (const map of session.maps()) {
      const { definition } = map;
      // The kernel's names of data sections begin with the object's.
      if (definition.name.includes('.')) continue;
      for (const { key, value } of map.list())
        lines.push(`${definition.name}[${toHex(key)}] = ${toHex(value)}`);
    }
    return lines;
  } finally {
    await session.close();
  }
}
