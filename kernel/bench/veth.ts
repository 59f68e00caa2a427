/** How fast frames make the round trip over a veth: from C, and through the engine. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS, XDP_TX } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { attachXdp } from '../libbpf/attach.ts';
import { BpfObject } from '../libbpf/object.ts';
import { createWorldNetwork } from '../network/world-network.ts';
import { makeTemporaryDirectory } from '../process/leftovers.ts';
import { Observers } from '../veth/observer.ts';
import { createVethEngine } from '../veth/veth.ts';
import { compileC } from './compile.ts';
import type { Racer } from './testrun-rates.ts';

/** Frames under way, for both. */
const WINDOW = 256;

/**
 * The C program (`veth-loop.c`): sends one frame over and over through a program that sends it back, and receives
 * it again.
 * @param program an XDP program that answers `frame` with XDP_TX
 * @throws {EngineError} `environment`, where it cannot be compiled or the devices cannot be made
 */
export async function vethLoopRacer(program: Program, frame: Uint8Array): Promise<Racer> {
  const scratch = makeTemporaryDirectory();
  const undo: (() => void)[] = [() => scratch.remove()];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    const executable = compileC('veth-loop', scratch.path, []);
    const frameFile = join(scratch.path, 'frame');
    writeFileSync(frameFile, frame);
    const device = { ifindex: 2, name: 'wire', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) };
    const network = await createWorldNetwork({ devices: [device] });
    undo.push(() => network.close());
    const { name, entries, object } = program;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    const loaded = new BpfObject(object, { name, file: name, entries });
    undo.push(() => loaded.close());
    const observers = new Observers(1);
    undo.push(() => observers.close());
    const pass = observers.program(0, { type: 'xdp', action: XDP_PASS });
    attachXdp(network.inside, device.ifindex, loaded.programs[0]!.fd);
    attachXdp(network.outside, device.ifindex, pass);
    const peer = network.links[0]!.peer;
    return {
      async rate(passes) {
        const frames = String(passes * WINDOW);
        const printed = network.outside.run(executable, [peer, frameFile, String(WINDOW), frames]);
        const result = JSON.parse(printed) as { packets: number; seconds: number };
        return result.packets / result.seconds;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The engine `veth` with one session that stays open, on the same frame. A frame that is not sent back is an error. */
export async function vethRacer(program: Program, frame: Uint8Array): Promise<Racer> {
  const session = await createVethEngine().open(program, {});
  const batch = new PacketBatch(WINDOW, WINDOW * frame.length);
  while (batch.count < WINDOW) batch.push({ packet: frame });
  const outcomes = new OutcomeBatch(WINDOW, WINDOW * frame.length);
  return {
    async rate(passes) {
      let back = 0;
      const start = process.hrtime.bigint();
      for (let pass = 0; pass < passes; pass++) {
        await session.run(batch, outcomes);
        for (let packet = 0; packet < outcomes.count; packet++) {
          if (outcomes.action[packet] === XDP_TX && outcomes.length[packet] === frame.length) back += 1;
        }
      }
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      if (back !== passes * WINDOW) {
        throw new EngineError('environment', `${passes * WINDOW - back} frames did not come back`);
      }
      return back / seconds;
    },
    close: () => session.close(),
  };
}

/** An ICMP echo request of 98 bytes, as `ping` sends it: what `icmp_echo` answers. */
export function pingFrame(): Uint8Array {
  const frame = new Uint8Array(98);
  frame.set([0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02, 0x08, 0x00]);
  frame.set([0x45, 0, 0, 84, 0, 0, 0x40, 0, 64, 1, 0x26, 0xa7, 10, 0, 0, 1, 10, 0, 0, 2], 14);
  // All payload bytes are zero, so that the checksum is that of type and code alone.
  frame.set([8, 0, 0xf7, 0xff], 34);
  return frame;
}
