/** `--against`: captures from both sides of a device, and the checksums that it made wrong. */
import * as v from 'valibot';
import type { CaptureBatch } from '../../corpus/formats/capture-batch.ts';
import { readCapture, STANDARD_STREAM } from '../../corpus/formats/capture-file.ts';
import { asEthernet } from '../../corpus/formats/ethernet-frame.ts';
import { BeforeAfter, type DeviceFault } from '../../verify/captures/before-after.ts';
import { conversationText } from '../../verify/captures/conversation.ts';
import { Pairing, type Side } from '../../verify/captures/pairing.ts';
import { isRightKnown } from '../../verify/oracle/found.ts';
import { EXIT, type Failure, inputFailure, reportError, toFailure } from '../failure.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson, reportLine } from '../output.ts';
import { count, type Terminal } from '../terminal.ts';
import { hex } from './report-text.ts';

export interface AgainstOptions {
  readonly strict: boolean;
  readonly maxFaults: number;
  readonly json: boolean;
}

/** One of the two captures on its way through. */
interface Reading {
  readonly file: string;
  readonly side: Side;
  readonly batches: AsyncGenerator<CaptureBatch, void, undefined>;
  packets: number;
  /** Packets of a link type that cannot be turned into an Ethernet frame. */
  skipped: number;
  isOpen: boolean;
  error: Failure | undefined;
}

export async function checkAgainst(
  before: string,
  after: string,
  options: AgainstOptions,
  terminal: Terminal,
): Promise<void> {
  if (before === STANDARD_STREAM && after === STANDARD_STREAM) {
    throw inputFailure('only one of the two captures can come from standard input');
  }
  const judge = new BeforeAfter(options);
  const pairing = new Pairing((came, left) => judge.judge(came, left));
  const interrupt = onInterrupt();
  const { signal } = interrupt;
  const readings = [open(before, 'before', signal), open(after, 'after', signal)];
  while (!interrupt.signal.aborted && readings.some(({ isOpen }) => isOpen)) {
    for (const reading of readings) if (reading.isOpen) await readBatch(reading, pairing, signal);
    terminal.progress(() => `${count(pairing.paired)} pairs, ${count(judge.faultCount)} faults`);
  }
  terminal.clearProgress();
  for (const { batches } of readings) await batches.return();
  interrupt.release();
  // Without anything of one of them, nothing could be compared.
  const unread = readings.flatMap(({ error, packets }) =>
    packets === 0 && error !== undefined ? [error] : [],
  );
  if (unread.length > 0) {
    for (const error of unread) reportError(error);
    process.exitCode = unread[0]!.exitCode;
    return;
  }
  pairing.end();
  if (options.json) printJson(toJson(readings, pairing, judge));
  else print(readings, pairing, judge, terminal);
  for (const { error } of readings) if (error !== undefined) reportError(error);
  if (interrupt.cause !== undefined) {
    reportLine('xdpsim: interrupted: this is what was checked until then');
    process.exitCode = EXIT.interrupted;
    return;
  }
  process.exitCode = exitCode(readings, pairing, judge);
}

function exitCode(readings: readonly Reading[], pairing: Pairing, judge: BeforeAfter): number {
  const errors = readings.flatMap(({ error }) => (error === undefined ? [] : [error.exitCode]));
  if (errors.length > 0) return errors.includes(EXIT.input) ? EXIT.input : errors[0]!;
  if (judge.faultCount > 0) return EXIT.found;
  // Nothing was compared: that is no agreement.
  return pairing.paired === 0 ? EXIT.incomplete : EXIT.agreed;
}

function open(file: string, side: Side, signal: AbortSignal): Reading {
  return {
    file,
    side,
    batches: readCapture(file, { signal }),
    packets: 0,
    skipped: 0,
    isOpen: true,
    error: undefined,
  };
}

async function readBatch(reading: Reading, pairing: Pairing, signal: AbortSignal): Promise<void> {
  try {
    const { value: batch } = await reading.batches.next();
    if (batch === undefined) {
      reading.isOpen = false;
      return;
    }
    for (let index = 0; index < batch.count; index++) {
      reading.packets++;
      const start = batch.offset[index]!;
      const { linkType } = batch.section.interfaces[batch.interface[index]!]!;
      const frame = asEthernet(batch.bytes, start, start + batch.frameLength(index), linkType);
      if (frame === undefined) reading.skipped++;
      else pairing.add(reading.side, reading.packets, frame);
    }
  } catch (thrown) {
    reading.isOpen = false;
    if (signal.aborted) return;
    reading.error = toFailure(thrown);
    if (reading.error === undefined) throw thrown;
  }
}

function print(readings: readonly Reading[], pairing: Pairing, judge: BeforeAfter, terminal: Terminal): void {
  const [before, after] = readings as [Reading, Reading];
  terminal.print(
    `${terminal.style('bold', before.file)} → ${terminal.style('bold', after.file)}: ${count(pairing.paired)} ${pairing.paired === 1 ? 'packet' : 'packets'} paired`,
  );
  const lines: [number, string][] = [
    [pairing.alone.before, `only in ${before.file}: dropped, or changed beyond recognition`],
    [pairing.alone.after, `only in ${after.file}: made by the device, or changed beyond recognition`],
    [pairing.withoutIp.before + pairing.withoutIp.after, 'without IP'],
    [before.skipped + after.skipped, 'of a link type that cannot be read, or with nothing in it'],
    [judge.unjudged, 'not judged: truncated, contradictory, or fragments'],
    [
      judge.unfinished,
      'not filled in yet (offload): captured before the network card finished them; --strict counts them as faults',
    ],
  ];
  for (const [packets, text] of lines) if (packets > 0) terminal.print(`  ${count(packets)} ${text}`);
  for (const fault of judge.faults) {
    terminal.print(terminal.style('red', `  ${faultText(fault)}`));
    const details = [conversationText(fault), fault.cause?.sentence ?? '']
      .filter((text) => text !== '')
      .join(': ');
    if (details !== '') terminal.print(`    ${details}`);
  }
  if (judge.faultCount > judge.faults.length) {
    terminal.print(`  … and ${count(judge.faultCount - judge.faults.length)} more (--max-faults lists more)`);
  }
  if (pairing.paired === 0) terminal.print('  nothing was compared: no packet is in both captures');
  else if (judge.faultCount === 0) terminal.print('  no checksum was made wrong');
  else
    terminal.print(
      `  ${count(judge.faultCount)} ${judge.faultCount === 1 ? 'packet' : 'packets'} with a checksum that was made wrong`,
    );
}

/** "packet 3 (17 before): udp checksum was right and is wrong: got 0x1234, expected 0x1235" */
function faultText({ packet, before, layer, depth, kind, got, expected }: DeviceFault): string {
  const place = depth === 0 ? layer : `${layer} (depth ${depth})`;
  return `packet ${packet} (${before} before): ${place} checksum ${KINDS[kind]}: got ${hex(got, layer)}, expected ${kind === 'fragment' || isRightKnown({ got, expected }) ? '' : 'not '}${hex(expected, layer)}`;
}

const KINDS: Readonly<Record<DeviceFault['kind'], string>> = {
  wrong: 'was right and is wrong',
  'wrong by another amount': 'was wrong and is wrong by another amount',
  illegal: 'became 0, which is illegal over IPv6',
  lost: 'was lost: a computed 0 is sent as 0xffff',
  fragment: 'cannot be right: data of a fragment was changed',
  'wrong from the start': 'of a header that the device added is wrong',
};

const amount = v.pipe(v.number(), v.integer(), v.minValue(0));
const sideShape = v.object({
  file: v.string(),
  packets: amount,
  alone: amount,
  skipped: amount,
  error: v.optional(v.object({ message: v.string(), exitCode: amount })),
});

export const againstReportShape = v.object({
  version: v.literal(1),
  before: sideShape,
  after: sideShape,
  paired: amount,
  unjudged: amount,
  offload: amount,
  faultCount: amount,
  faults: v.array(
    v.object({
      packet: amount,
      before: amount,
      layer: v.string(),
      depth: amount,
      kind: v.picklist(Object.keys(KINDS) as DeviceFault['kind'][]),
      got: v.string(),
      expected: v.string(),
      source: v.optional(v.string()),
      destination: v.optional(v.string()),
      sourcePort: v.optional(amount),
      destinationPort: v.optional(amount),
      cause: v.optional(v.object({ id: v.string(), sentence: v.string() })),
    }),
  ),
});

export type AgainstReport = v.InferOutput<typeof againstReportShape>;

function toJson(readings: readonly Reading[], pairing: Pairing, judge: BeforeAfter): AgainstReport {
  const [before, after] = (readings as [Reading, Reading]).map(({ file, side, packets, skipped, error }) => ({
    file,
    packets,
    alone: pairing.alone[side],
    skipped,
    ...(error === undefined ? {} : { error: { message: error.message, exitCode: error.exitCode } }),
  })) as [AgainstReport['before'], AgainstReport['after']];
  return {
    version: 1,
    before,
    after,
    paired: pairing.paired,
    unjudged: judge.unjudged,
    offload: judge.unfinished,
    faultCount: judge.faultCount,
    faults: judge.faults.map(({ got, expected, ...fault }) => ({
      ...fault,
      got: hex(got, fault.layer),
      expected: hex(expected, fault.layer),
    })),
  };
}
