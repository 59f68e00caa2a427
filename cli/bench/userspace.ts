/** The measures that need no kernel: model, generator, checksums. */
import { AnyCaptureDecoder } from '../../corpus/formats/capture.ts';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { ethernet } from '../../sim/packet/build.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { CaptureChecker } from '../../verify/captures/checker.ts';
import { FastScan } from '../../verify/captures/fast-scan.ts';
import { type Measure, processorTime } from './measure.ts';

const SEED = seedFromText('bench');
const BATCH = 4096;
/** Packets of one figure. */
const PACKETS = 100 * BATCH;

/** Of WebAssembly's memory. */
const PAGE = 65_536;

const PER_SECOND = 'packets per second';

/** A batch of generated packets for a program, the same in every run. */
export function generatedBatch(program: Program): PacketBatch {
  const batch = new PacketBatch(BATCH);
  generatorFor(program).fill(batch, SEED, 0, BATCH, TEST_RUN_LIMITS);
  return batch;
}

function generatorFor(program: Program): PacketGenerator {
  const hooks = program.entries.map((entry) => entry.hook);
  return new PacketGenerator(program.definition?.hints, hooks);
}

/** The reference model on generated packets. */
export async function modelMeasure(program: Program): Promise<Measure> {
  const session = await createModelEngine().open(program, program.definition?.worlds[0]?.world ?? {});
  const batch = generatedBatch(program);
  const output = new OutcomeBatch(BATCH);
  return {
    name: 'model',
    of: PER_SECOND,
    async take() {
      const start = processorTime();
      for (let done = 0; done < PACKETS; done += BATCH) await session.run(batch, output);
      return { value: perProcessorSecond(PACKETS, start) };
    },
    close: () => session.close(),
  };
}

/** Packets generated into a batch. */
export function generatorMeasure(program: Program): Measure {
  const generator = generatorFor(program);
  const batch = new PacketBatch(BATCH);
  return {
    name: 'generator',
    of: PER_SECOND,
    async take() {
      const start = processorTime();
      for (let done = 0; done < PACKETS; done += BATCH) {
        batch.clear();
        generator.fill(batch, SEED, done, BATCH, TEST_RUN_LIMITS);
      }
      return { value: perProcessorSecond(PACKETS, start) };
    },
    async close() {},
  };
}

/** Packets of a capture in memory. */
const CAPTURED = 1_000_000;

/** A capture of a million generated packets in memory: decoded, and every checksum recomputed. */
export function checksumMeasure(program: Program): Measure {
  return checksumMeasureOf('checksum', captureOf(generatedBatch(program), CAPTURED));
}

/** The same of packets as captures have them: whole, right, TCP, UDP and ICMP over IPv4 and IPv6. */
export function plainChecksumMeasure(): Measure {
  const batch = new PacketBatch(BATCH);
  for (let index = 0; index < BATCH; index++) {
    const data = Uint8Array.from({ length: 56 + (index % 3) }, (_, at) => at * index);
    const stack = [
      ethernet().ipv4().tcp({ sequence: index }),
      ethernet()
        .ipv4()
        .udp({ sourcePort: 4000 + index, destinationPort: 5000 }),
      ethernet().ipv6().tcp({ sequence: index }),
      ethernet().ipv4().echoRequest({ sequence: index }),
    ][index % 4]!;
    batch.push({ packet: stack.payload(data).bytes() });
  }
  return checksumMeasureOf('checksum-plain', captureOf(batch, CAPTURED));
}

function checksumMeasureOf(name: string, made: Uint8Array): Measure {
  // The capture lies where it is looked at, as a file does that is read.
  const fast = new FastScan((Math.ceil(made.length / PAGE) + 64) * PAGE);
  const capture = fast.allocate(made.length)!;
  capture.set(made);
  return {
    name,
    of: PER_SECOND,
    async take() {
      const checker = new CaptureChecker({ fast, maxFaults: 0, reassemble: false });
      const decoder = new AnyCaptureDecoder(fast);
      const start = processorTime();
      decoder.push(capture);
      decoder.end();
      for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) checker.check(batch);
      checker.end();
      return { value: perProcessorSecond(CAPTURED, start) };
    },
    async close() {},
  };
}

function captureOf(batch: PacketBatch, packets: number): Uint8Array {
  const encoder = new PcapEncoder();
  const pieces: Uint8Array[] = [];
  for (let index = 0; index < packets; index++) {
    const at = index % batch.count;
    const length = batch.length[at]!;
    encoder.packet(batch.bytes, batch.offset[at]!, length, 0, index, length);
    if (index % 65_536 === 0) pieces.push(encoder.take().slice());
  }
  pieces.push(encoder.take().slice());
  return new Uint8Array(Buffer.concat(pieces));
}

export function perProcessorSecond(packets: number, start: number): number {
  return (packets * 1000) / (processorTime() - start);
}
