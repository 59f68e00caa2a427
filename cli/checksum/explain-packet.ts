/** `--explain N`: one packet in full, with each wrong checksum worked out by hand. */
import { readCapture } from '../../corpus/formats/capture-file.ts';
import { asEthernet } from '../../corpus/formats/ethernet-frame.ts';
import { LINKTYPE, linkTypeName } from '../../corpus/formats/link-type.ts';
import { hexdump } from '../../sim/packet/hexdump.ts';
import { decodeTree, treeToText } from '../../sim/packet/tree.ts';
import { CaptureChecker } from '../../verify/captures/checker.ts';
import { conversationText } from '../../verify/captures/conversation.ts';
import type { CaptureFault } from '../../verify/captures/fault.ts';
import { checksumEvidence } from '../../verify/explain/diagnose.ts';
import { checksumWorksheet } from '../../verify/explain/worksheet.ts';
import { CHECKSUM_LAYERS } from '../../verify/oracle/found.ts';
import { inputFailure } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { checksumLine } from './report-text.ts';

interface Subject {
  readonly frame: Uint8Array;
  readonly faults: readonly CaptureFault[];
  /** Was a checksum of it recomputed? */
  readonly isJudged: boolean;
}

interface Shown {
  readonly linkType: number;
  readonly packet: Subject | undefined;
  /** The datagram that this packet made whole, where something is wrong in it. */
  readonly datagram: Subject | undefined;
}

/** @returns whether anything is wrong with the packet */
export async function explainPacket(file: string, number: number, terminal: Terminal): Promise<boolean> {
  const { packet, linkType, datagram } = await findPacket(file, number);
  terminal.print(`${terminal.style('bold', file)}: packet ${number}, ${linkTypeName(linkType)}`);
  if (packet === undefined) {
    terminal.print('  nothing in it that has a checksum can be read');
    return false;
  }
  show(packet, terminal);
  if (datagram !== undefined) {
    terminal.print();
    terminal.print('The datagram that it makes whole:');
    show(datagram, terminal);
  }
  const isWrong = packet.faults.length > 0 || datagram !== undefined;
  if (!isWrong) {
    const right = 'every checksum that can be verified is right';
    terminal.print(packet.isJudged ? right : 'it has no checksum that can be verified');
  }
  return isWrong;
}

function show({ frame, faults }: Subject, terminal: Terminal): void {
  terminal.printLines(treeToText(decodeTree(frame, 0, frame.length, 'ethernet', { isCaptured: true })));
  const evidence = faults.flatMap((fault) => {
    const found = checksumEvidence(new Uint8Array(0), frame, fault.layer, fault.depth, true);
    return found === undefined ? [] : [{ fault, found }];
  });
  const marked = evidence.map(({ found }) => ({ from: found.after.at, to: found.after.at + 2 }));
  terminal.printLines(hexdump(frame, { marked, maxLines: 40 }));
  for (const { fault, found } of evidence) {
    terminal.print();
    terminal.print(terminal.style('red', checksumLine(fault)));
    const flow = conversationText(fault);
    if (flow !== '') terminal.print(`  ${flow}`);
    const sentence = fault.cause?.sentence ?? 'no known defect gives this checksum';
    const sheet = checksumWorksheet(found, { id: 'unknown', sentence, remedy: '' });
    // There is no "before" in a capture.
    for (const line of sheet) terminal.print(line.replace('it was not there before; it left as', 'it is'));
  }
}

/** Reads up to the packet; fragments before it may belong to its datagram. */
async function findPacket(file: string, packet: number): Promise<Shown> {
  let datagram: Uint8Array | undefined;
  const checker = new CaptureChecker({
    maxFaults: 0,
    strict: true,
    onFaultyDatagram: ({ bytes, origins }) => {
      if (origins.at(-1)!.packet === packet) datagram = bytes;
    },
  });
  for await (const batch of readCapture(file)) {
    if (checker.packets + batch.count < packet) {
      checker.check(batch);
      continue;
    }
    const index = packet - checker.packets - 1;
    const start = batch.offset[index]!;
    const { linkType } = batch.section.interfaces[batch.interface[index]!]!;
    const frame = asEthernet(batch.bytes, start, start + batch.frameLength(index), linkType);
    checker.check(batch, index + 1);
    return {
      linkType,
      packet: subject(frame),
      datagram:
        datagram === undefined ? undefined : subject(asEthernet(datagram, 0, datagram.length, LINKTYPE.RAW)),
    };
  }
  throw inputFailure(`--explain ${packet}: ${file} has only ${checker.packets} packets`);
}

function subject(frame: Uint8Array | undefined): Subject | undefined {
  if (frame === undefined) return undefined;
  const checker = new CaptureChecker({ strict: true, reassemble: false });
  checker.checkPacket(frame, 0, frame.length, LINKTYPE.ETHERNET);
  const isJudged = CHECKSUM_LAYERS.some((layer) => checker.count(layer, 'good') > 0);
  return { frame, faults: checker.faults, isJudged };
}
