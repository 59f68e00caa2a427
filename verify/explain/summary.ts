/** One line on a divergence: what was expected, what came, and what is likely to have caused it. */
import type { Case } from '../../corpus/cases/case.ts';
import { difference } from '../../sim/packet/difference.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapDifference } from '../compare-maps.ts';
import type { Finding } from '../finding.ts';
import { guessText } from '../guessed-slots.ts';
import { isRightKnown } from '../oracle/found.ts';
import type { ChecksumFault } from '../oracle/judge.ts';
import type { Outcome } from '../outcome.ts';
import { likelyCause, mapCause } from './causes.ts';
import { checksumEvidence, rightChecksum } from './diagnose.ts';
import { exampleText } from './example-text.ts';
import { kernelClause } from './kernel-text.ts';
import { type FieldText, fieldPath, isPadding, mapEntryText, numbersOf } from './map-text.ts';
import { reasonAndPlace } from './note-text.ts';
import { hex16 } from './ones.ts';

/** "icmp_echo: icmp.checksum: expected 0x1a34 (model), got 0x1235 (testrun): the difference was added without …" */
export function summarize(program: Program, shown: Case, finding: Finding): string {
  return `${lineOf(program, shown, finding)}${guessText(shown.world)}`;
}

function lineOf(program: Program, shown: Case, finding: Finding): string {
  const [reference, engine] = finding.engines;
  if (finding.part === 'status') return `${program.name}: ${violationText(finding)}`;
  if (finding.map !== undefined)
    return `${program.name}: ${mapSummary(program, shown, finding, finding.map)}`;
  const { expected, got } = valuesOf(program, shown, finding);
  if (finding.example !== undefined)
    return `${program.name}: ${exampleText(finding, finding.example, expected, got)}`;
  const cause = likelyCause(shown, finding);
  const line = `${program.name}: ${finding.field}: expected ${expected} (${reference}), got ${got} (${engine})`;
  return cause === undefined || got.includes(cause) ? line : `${line}: ${cause}`;
}

/** "the machine (vm) stops the program: invalid access to packet; this kernel refuses to load the program" */
function violationText({ engines, expected, got, kernel }: Finding): string {
  // The model says what should be; where it fails, it is the model that is wrong.
  if (expected?.status === 'fault') return expected.note?.message ?? 'the model failed';
  const why = got?.note === undefined ? 'it does not say why' : reasonAndPlace(got.note);
  const asked = kernel === undefined ? '' : `; ${kernelClause(kernel)}`;
  return `the machine (${engines[1]}) stops the program: ${why}${asked}`;
}

/** "map rules[1].packets: expected 2 (testrun), got 3 (vm), and 1 more field" */
function mapSummary(program: Program, shown: Case, { engines }: Finding, map: MapDifference): string {
  const entry = mapEntryText(program, map);
  const [first, ...more] = entry.fields as [FieldText, ...FieldText[]];
  const values = `expected ${first.expected} (${engines[0]}), got ${first.got} (${engines[1]})`;
  const others = more.length === 0 ? '' : `, and ${more.length} more field${more.length === 1 ? '' : 's'}`;
  const cause = first.isClock
    ? 'this looks like a clock'
    : isPadding(first)
      ? 'no field of the entry differs'
      : mapCause(map, shown.stimuli.length, numbersOf(program, map));
  const why = cause === undefined ? '' : `: ${cause}`;
  return `map ${fieldPath(entry, first)}: ${values}${others}${why}`;
}

/** The two values that differ, in text. */
function valuesOf(program: Program, shown: Case, finding: Finding): { expected: string; got: string } {
  const { fault, breach, expected, got } = finding;
  if (breach !== undefined) return { expected: breach.expected, got: breach.got };
  if (fault !== undefined) return checksumValues(fault, shown, finding);
  const entry = shown.stimuli[finding.packet]?.entry ?? 0;
  const hook = program.entries[entry]?.hook ?? 'xdp';
  if (got === undefined) return { expected: '?', got: '?' };
  if (expected === undefined) {
    return { expected: 'a run to its end', got: textOf.status(got, (action) => actionName(hook, action)) };
  }
  if (finding.part === 'packet') {
    const [first] = difference(expected.packet, got.packet);
    return { expected: first?.left ?? '(absent)', got: first?.right ?? '(absent)' };
  }
  const text = textOf[finding.part];
  return {
    expected: text(expected, (action) => actionName(hook, action)),
    got: text(got, (action) => actionName(hook, action)),
  };
}

function checksumValues(
  { kind, after, layer, depth }: ChecksumFault,
  shown: Case,
  { got, packet }: Finding,
): { expected: string; got: string } {
  if (kind === 'fragment') return { expected: 'data as it came', got: 'changed data' };
  const left = hex16(after.got);
  if (!isRightKnown(after)) return { expected: `not ${left}`, got: left };
  const came = shown.stimuli[packet]?.packet;
  const evidence =
    came === undefined || got === undefined ? undefined : checksumEvidence(came, got.packet, layer, depth);
  return { expected: hex16(evidence === undefined ? after.expected : rightChecksum(evidence)), got: left };
}

type Text = (outcome: Outcome, name: (action: number) => string) => string;

const textOf: Readonly<Record<Exclude<Finding['part'], 'packet'>, Text>> = {
  status: ({ status, action, note }, name) =>
    status === 'ran' ? name(action) : `${status}${note === undefined ? '' : ` (${note.message})`}`,
  action: ({ action }, name) => name(action),
  metadata: ({ metadata }) => hexOf(metadata),
  redirect: ({ redirect }) => String(redirect),
  trace: ({ trace }) => (trace.length === 0 ? 'no line' : JSON.stringify(trace.join('\n'))),
  skb: ({ mark, priority, cb, tstamp }) =>
    `mark ${mark}, priority ${priority}, cb ${cb.join(' ')}, tstamp ${tstamp}`,
  map: () => '',
  checksum: () => '',
  invariant: () => '',
  outside: () => '',
};

function hexOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'nothing' : Buffer.from(bytes).toString('hex');
}
