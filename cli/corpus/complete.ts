/** `xdpsim corpus generate --complete`: a packet, and its world, for each path of a program. */
import type { Case } from '../../corpus/cases/case.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import { formatToWrite, isPacketList, PACKET_LISTS } from '../../corpus/formats/packet-list/index.ts';
import type { ListedPacket } from '../../corpus/formats/packet-list/listed-packet.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { ProofAid } from '../../verify/prove/aid.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { isDirectory } from '../input/read-file.ts';
import { onInterrupt } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { startProofs } from '../prove/aid.ts';
import { count, createTerminal } from '../terminal.ts';
import { openCaseTarget } from './case-target.ts';

const DEFAULT_SECONDS = 60;

export interface CompleteOptions {
  readonly out: string;
  /** Seconds; default: a minute. */
  readonly time?: number;
}

/** Writes cases, or packets alone where the format holds no worlds. Ends with 4 where not every path has its packet. */
export async function writeComplete(
  program: Program,
  { out, time = DEFAULT_SECONDS }: CompleteOptions,
): Promise<void> {
  if (program.object === undefined) throw inputFailure(`--complete: ${program.name} has no object to follow`);
  const write = await writerFor(out, program);
  const interrupt = onInterrupt();
  const proofs = await startProofs('--complete', time, interrupt.signal);
  let aid: ProofAid;
  try {
    aid = await proofs.follow(program, { terminal: createTerminal() });
  } finally {
    await proofs.end();
  }
  interrupt.release();
  await write(aid.cases);
  const where = out === '-' ? 'standard output' : out;
  const { cases, shown, paths, beyond, doubt } = aid;
  const unconfirmed = paths - shown - beyond;
  const each =
    cases.length === shown
      ? ''
      : ', and for each length of the headers that it may find in front of what it reads';
  reportLine(`${where}: ${count(cases.length)} packets, one for each path that was seen to be taken${each}`);
  if (beyond > 0) {
    const left = beyond === 1 ? '1 path takes' : `${count(beyond)} paths take`;
    reportLine(
      `${left} a context that only a kernel makes (a tag that a device took off), and no packet does`,
    );
  }
  if (doubt !== undefined) reportLine(`not complete: ${doubt}`);
  else if (unconfirmed > 0) reportLine(`not complete: ${count(unconfirmed)} paths have no packet`);
  const isComplete = doubt === undefined && unconfirmed === 0;
  process.exitCode = interrupt.signal.aborted ? EXIT.interrupted : isComplete ? EXIT.agreed : EXIT.incomplete;
}

type Write = (cases: readonly Case[]) => Promise<void>;

/** What is wrong with the name is said before anything is followed. */
async function writerFor(out: string, { name }: Program): Promise<Write> {
  if (isDirectory(out)) return (await openCaseTarget(out)).save;
  const format = formatToWrite(out);
  if (isPacketList(format)) {
    return (cases) => {
      const text = PACKET_LISTS[format].write(packetsOf(cases), { program: name });
      return writeAtomically(out, [new TextEncoder().encode(text)]);
    };
  }
  if (out.endsWith('.pcapng')) return (await openCaseTarget(out)).save;
  return async (cases) => {
    const comment = `xdpsim corpus generate ${name} --complete`;
    await writeCapture(out, batchesOf(cases), { comment, format });
  };
}

function packetsOf(cases: readonly Case[]): ListedPacket[] {
  return cases.flatMap(({ stimuli }) => stimuli.map(({ packet }) => ({ packet })));
}

function* batchesOf(cases: readonly Case[]): Generator<PacketBatch> {
  const batch = new PacketBatch(Math.max(1, cases.length));
  for (const { stimuli } of cases) for (const stimulus of stimuli) batch.push(stimulus);
  yield batch;
}
