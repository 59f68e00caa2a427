/**
 * What the author of a program said in its examples, held against what engines make of their packets. Model and program may
 * agree and both be wrong: this is the one statement that neither of them made.
 */
import type { Observables } from '../sim/engines/engine.ts';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { asReceived } from '../sim/engines/received.ts';
import type { EngineName } from '../sim/engines/register.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Example, Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import { bothObserve, firstDifference } from './compare.ts';
import { differingField } from './differing-field.ts';
import type { Finding } from './finding.ts';
import { outcomeAt } from './outcome.ts';

/** What an example says: the action, and the frame where one leaves. */
const STATED: Observables = {
  action: 'exact',
  packet: 'delivered',
  metadata: false,
  redirect: false,
  maps: false,
  trace: false,
  skb: false,
  tstamp: false,
};

type Shown = Pick<Finding, 'part' | 'field' | 'expected' | 'got'> & { readonly engine: EngineName };

/**
 * One finding for each way in which engines differ from the example; none where there is no example.
 * @param input the example's packet, and no other
 * @param reports the most authoritative first
 */
export function exampleFindings(
  program: Program,
  example: Example | undefined,
  input: PacketBatch,
  reports: readonly BatchReport[],
): Finding[] {
  if (example === undefined || input.count !== 1) return [];
  const expected = statedFrames(program, example).map((frame) => outcomeOf(example.action, frame));
  const ran = reports.filter(({ output }) => output.status[0] === STATUS.ran);
  const shown = ran.flatMap((report) => differenceOf(program, expected, input, report) ?? []);
  const different = new Set(shown.map(({ engine }) => engine));
  const keeping = ran.map(({ engine }) => engine.name).filter((name) => !different.has(name));
  return [...new Set(shown.map(({ field }) => field))].map((field) => {
    const alike = shown.filter((one) => one.field === field);
    const { engine, ...first } = alike[0]!;
    const differing = alike.map((one) => one.engine);
    return {
      ...first,
      engines: ['example', engine],
      place: example.name,
      packet: 0,
      example: { name: example.name, differing, keeping },
    };
  });
}

/**
 * The frames of which one must leave. Where the kernel takes a tag off the frame that comes, one that is stated may be
 * written with the tag, as on the wire, or without, as programs see it.
 */
function statedFrames(program: Program, { stimulus, packet }: Example): Uint8Array[] {
  const received = asReceived(program, stimulus);
  if (packet === undefined) return [received.packet];
  if (received === stimulus) return [packet];
  return [packet, asReceived(program, { ...stimulus, packet }).packet];
}

function outcomeOf(action: number, frame: Uint8Array): OutcomeBatch {
  const batch = new OutcomeBatch(1, frame.length);
  batch.bytes.set(frame, batch.reserve(frame.length));
  batch.commit(action, frame.length);
  return batch;
}

/** How an engine differs from all that is expected; undefined where it does not. */
function differenceOf(
  program: Program,
  expected: readonly OutcomeBatch[],
  input: PacketBatch,
  { engine, output }: BatchReport,
): Shown | undefined {
  const hooks = program.entries.map(({ hook }) => hook);
  const observed = bothObserve(STATED, engine.observes);
  const differences = expected.map((one) => firstDifference(one, output, observed, hooks, input.entry));
  const [first] = differences;
  if (first === undefined || differences.includes(undefined)) return undefined;
  const { part } = first;
  const wanted = outcomeAt(expected[0]!, 0);
  const got = outcomeAt(output, 0);
  const field = part === 'packet' ? differingField(wanted.packet, got.packet) : part;
  return { part, field, expected: wanted, got, engine: engine.name };
}
