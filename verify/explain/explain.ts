/** A divergence for a person at a terminal: verdict, tree, bytes, worksheet, and the command that repeats it. */
import type { OutcomeNote } from '../../sim/engines/outcome-batch.ts';
import { isKernel } from '../../sim/engines/register.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import { type ByteRange, hexdump } from '../../sim/packet/hexdump.ts';
import { protoOf, type SkbInput, type SkbTunnel, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { decodeTree } from '../../sim/packet/tree.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { checksumOfField } from '../differing-field.ts';
import type { Finding } from '../finding.ts';
import type { Outcome } from '../outcome.ts';
import type { Divergence, Saved } from '../report.ts';
import type { ShrinkStop } from '../shrink.ts';
import { checksumCause } from './causes.ts';
import { changedTree } from './changed-tree.ts';
import { commandsOf, type Repeated, type RunOptions } from './command.ts';
import { checksumEvidence } from './diagnose.ts';
import { keptLines } from './kept.ts';
import { kernelLines } from './kernel-text.ts';
import { mapEntryText } from './map-text.ts';
import { type Paint, painter, type Style } from './paint.ts';
import { checksumWorksheet } from './worksheet.ts';
import { worldText } from './world-text.ts';

export interface ExplainOptions {
  /** How to colour; default: not at all. */
  readonly style?: Style;
  /** How the run was started, for the command that repeats it; absent: none is shown. */
  readonly run?: RunOptions;
}

/** Lines of a hexdump: a whole frame of an ordinary Ethernet, and what matters of longer ones. */
const MAX_DUMP_LINES = 96;

/** Sequences are listed packet by packet up to this length. */
const MAX_LISTED = 12;

/** Lines of text, without newlines. */
export function explain(program: Program, divergence: Divergence, options: ExplainOptions = {}): string[] {
  const paint = painter(options.style);
  const sections = [
    verdict(divergence, paint),
    sequence(program, divergence, paint),
    packets(program, divergence, paint),
    mapValues(program, divergence, paint),
    worksheet(divergence),
    origin(divergence),
    stoppedAt(divergence),
    kernelPart(divergence),
    testimony(divergence),
    closing(program, divergence, options.run),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]));
}

const STATES: Readonly<Record<Divergence['state'], string>> = {
  saved: 'from a saved case',
  found: 'not shrunk',
  shrunk: '',
  'cut short': 'shrinking was stopped: a smaller case may exist',
  'not repeated': 'seen once: fresh sessions did not show it again',
};

/** "stopped shrinking after 10 s: a smaller case may exist" */
function stoppedText(stopped: ShrinkStop): string {
  const when =
    stopped.after === 'interrupt'
      ? 'stopped shrinking when interrupted'
      : stopped.after === 'seconds'
        ? `stopped shrinking after ${stopped.limit} s (--shrink-time)`
        : `stopped shrinking after ${stopped.limit} attempts`;
  return `${when}: a smaller case may exist`;
}

function verdict({ summary, state, stopped }: Divergence, paint: Paint): string[] {
  const note = stopped === undefined ? STATES[state] : stoppedText(stopped);
  return [paint('strong', summary), ...(note === '' ? [] : [`(${note})`])];
}

/** The packets of the case, a line each, and what the world holds. */
function sequence(program: Program, { case: shown, finding }: Divergence, paint: Paint): string[] {
  const { stimuli, world } = shown;
  const lines: string[] = [];
  if (stimuli.length > 1) {
    lines.push(`The case has ${stimuli.length} packets; number ${finding.packet + 1} shows it:`);
    const first = Math.max(0, finding.packet + 1 - MAX_LISTED);
    if (first > 0) lines.push(`  … ${first} before these`);
    for (let index = first; index <= finding.packet; index++) {
      const { packet } = stimuli[index]!;
      const last = decodeTree(packet).findLast(({ name }) => name !== 'payload' && name !== 'padding');
      const text = last === undefined ? '' : `: ${last.label}${last.text === '' ? '' : `, ${last.text}`}`;
      lines.push(
        paint(index === finding.packet ? 'strong' : 'dim', `  ${index + 1}. ${packet.length} bytes${text}`),
      );
    }
  }
  lines.push(...besideLines(program, world, stimuli[finding.packet]));
  return lines;
}

/** Fields of `__sk_buff`, by the kernel's names, and the tag that lies beside the frame. */
function skbTexts({ vlan, linear, tunnel, ...numbers }: SkbInput): string[] {
  const kernelName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const texts = Object.entries(numbers).map(([name, value]) => `${kernelName(name)} ${value}`);
  if (tunnel !== undefined) texts.push(tunnelText(tunnel));
  if (linear !== undefined) texts.push(`only its first ${linear} bytes between data and data_end`);
  if (vlan === undefined) return texts;
  const type = `0x${protoOf(vlan).toString(16)}`;
  return [
    ...texts,
    `a VLAN tag beside its bytes (type ${type}, tci 0x${vlan.tci.toString(16).padStart(4, '0')})`,
  ];
}

/** What the tunnel was that the frame came out of. */
function tunnelText({ flags, ...tunnel }: SkbTunnel): string {
  const fields = Object.entries(tunnel).map(([name, value]) => `${name} ${value}`);
  if (flags !== undefined) fields.push(`flags 0x${flags.toString(16).padStart(4, '0')}`);
  return `out of a tunnel${fields.length === 0 ? '' : ` (${fields.join(', ')})`}`;
}

/** What a packet meets and what comes with it, where that is not as always: `World: …`, `With the packet: …`. */
export function besideLines(program: Program, world: World, stimulus: Stimulus | undefined): string[] {
  const surroundings = worldText(program, world);
  const { metadata, ingressIfindex = 1, rxQueueIndex = 0, entry = 0, skb = {} } = stimulus ?? {};
  const beside = [
    ...(metadata !== undefined && metadata.length > 0
      ? [`metadata ${Buffer.from(metadata).toString('hex')}`]
      : []),
    ...(ingressIfindex === 1 ? [] : [`ingress ifindex ${ingressIfindex}`]),
    ...(rxQueueIndex === 0 ? [] : [`rx queue ${rxQueueIndex}`]),
    ...(entry === 0 ? [] : [`entry ${entry}`]),
    ...skbTexts(skb),
  ];
  return [
    ...(surroundings === '' ? [] : [`World: ${surroundings}`]),
    ...(beside.length === 0 ? [] : [`With the packet: ${beside.join(', ')}`]),
  ];
}

/** Tree and bytes of the packet that shows it. */
function packets(program: Program, { case: shown, finding }: Divergence, paint: Paint): string[] {
  const stimulus = shown.stimuli[finding.packet];
  if (stimulus === undefined) return [];
  const came = stimulus.packet;
  const hook: Hook = program.entries[stimulus.entry ?? 0]?.hook ?? 'xdp';
  const { got, expected, part } = finding;
  const hasBytes = (part === 'packet' || part === 'checksum' || part === 'invariant') && got !== undefined;
  if (!hasBytes)
    return [`The packet (${came.length} bytes):`, ...tree(came, paint), ...dump(came, [], paint)];
  const reference = part === 'packet' ? expected?.packet : undefined;
  const at = finding.fault?.after.at ?? finding.breach?.at ?? -1;
  const size = finding.breach?.size ?? 2;
  const wrong = at >= 0 && size > 0 ? [{ from: at, to: at + size }] : undefined;
  const treeLines = changedTree(
    { came, got: got.packet, ...(reference === undefined ? {} : { expected: reference }) },
    paint,
  );
  if (reference === undefined && equalWhole(came, got.packet)) {
    const marks = wrong === undefined ? '' : ', what is wrong is marked';
    return [
      'The packet, in which nothing was changed:',
      ...treeLines,
      '',
      `Its bytes (${came.length})${marks}:`,
      ...dump(came, wrong ?? [], paint),
    ];
  }
  const lines = [
    'The packet as it left:',
    ...treeLines,
    '',
    `As it came (${came.length} bytes):`,
    ...dump(came, [], paint),
  ];
  if (reference !== undefined) {
    const leaving = leaves(hook, expected!.action) ? '' : ', though it does not leave';
    lines.push('', `Expected (${reference.length} bytes${leaving}), what differs is marked:`);
    lines.push(...dump(reference, differingRanges(reference, got.packet), paint));
  }
  const isWrong = reference === undefined && wrong !== undefined;
  const marked = isWrong ? wrong : differingRanges(got.packet, reference ?? came);
  lines.push(
    '',
    `Got (${got.packet.length} bytes), what ${isWrong ? 'is wrong' : 'differs'} is marked:`,
    ...dump(got.packet, marked, paint),
  );
  return lines;
}

function tree(packet: Uint8Array, paint: Paint): string[] {
  return decodeTree(packet).map(({ label, text, note }) =>
    paint(
      'dim',
      `    ${label}${text === '' ? '' : `, ${text}`}${note === undefined || note === text ? '' : ` [${note}]`}`,
    ),
  );
}

function dump(packet: Uint8Array, marked: readonly ByteRange[], paint: Paint): string[] {
  if (packet.length === 0) return ['  (no bytes)'];
  // The line of marks stays when there is colour, too: colour alone would say nothing to some.
  return hexdump(packet, { marked, maxLines: MAX_DUMP_LINES })
    .split('\n')
    .map((line) => (/^ +\^/.test(line) ? paint('bad', `  ${line}`) : `  ${line}`));
}

/** Runs of bytes of `a` that `b` does not have in the same place. */
function differingRanges(a: Uint8Array, b: Uint8Array): ByteRange[] {
  const ranges: ByteRange[] = [];
  let from = -1;
  for (let index = 0; index <= a.length; index++) {
    const differs = index < a.length && a[index] !== b[index];
    if (differs && from < 0) from = index;
    if (differs || from < 0) continue;
    ranges.push({ from, to: index });
    from = -1;
  }
  return ranges;
}

/** The entry that differs: its key, and each field that does, by the map's BTF. */
function mapValues(program: Program, { finding }: Divergence, paint: Paint): string[] {
  const { map } = finding;
  if (map === undefined) return [];
  const entry = mapEntryText(program, map);
  const { type } = map.definition;
  const summed = type.includes('PERCPU') ? ', values added up over CPUs' : '';
  return [
    `Map ${map.map} (${type}${summed}), key ${entry.key}:`,
    ...entry.fields.flatMap((field) => {
      const name = field.field === '' ? 'value' : field.field;
      const clock = field.isClock ? '   (looks like a clock)' : '';
      return [
        `  ${name}${clock}`,
        paint('good', `    expected ${field.expected}`),
        paint('bad', `    got      ${field.got}`),
      ];
    }),
  ];
}

function worksheet({ case: shown, finding }: Divergence): string[] {
  const checksum = checksumOfField(finding.field);
  const came = shown.stimuli[finding.packet]?.packet;
  if (checksum === undefined || came === undefined || finding.got === undefined) return [];
  const evidence = checksumEvidence(came, finding.got.packet, checksum.layer, checksum.depth);
  if (evidence === undefined) return [];
  const at = evidence.after.at;
  const reference = finding.expected?.packet;
  const wanted =
    reference !== undefined && at + 2 <= reference.length
      ? (reference[at]! << 8) | reference[at + 1]!
      : undefined;
  const cause = checksumCause(came, finding);
  return cause === undefined ? [] : checksumWorksheet(evidence, cause, wanted);
}

/** The line that wrote the bytes in question, or where there are none, that decided. */
function origin({ finding: { source, breach } }: Divergence): string[] {
  if (source === undefined) return [];
  return [
    breach?.size === 0 ? 'Decided by:' : 'Changed last by:',
    `  ${source.file}:${source.line}: ${source.text.trim()}`,
  ];
}

/** Where the machine stopped the program, or why an engine failed on the packet. */
function stoppedAt({ finding, witness }: Divergence): string[] {
  const note = finding.got?.note ?? finding.expected?.note;
  if (note === undefined) return [];
  // The interpreter says the same, and better.
  return witness?.status === 'violation' && finding.part !== 'status' ? [] : noteLines(note);
}

/** What the kernel did with a program that the machine stopped. */
function kernelPart({ finding }: Divergence): string[] {
  return finding.kernel === undefined ? [] : kernelLines(finding.kernel);
}

/** What the interpreter says, where it is neither of the two: why it stops, what it warns of, or whose side it takes. */
function testimony({ witness, engines, finding }: Divergence): string[] {
  if (witness === undefined) return [];
  if (finding.part === 'status' && witness.status === 'violation')
    return ['The interpreter (vm) stops it, too.'];
  const notes = witness.note === undefined ? [] : noteLines(witness.note);
  if (witness.status === 'violation' && engines.some(isKernel)) {
    return [`The machine (vm) refused what this kernel ran, a defect of xdpsim:`, ...notes];
  }
  if (witness.status !== 'ran') {
    const verb = witness.status === 'violation' ? 'stops the program' : 'cannot go on';
    return [`The interpreter (vm) ${verb}:`, ...notes];
  }
  if (finding.part === 'status') return ['The interpreter (vm) runs the program to its end.'];
  const side =
    finding.expected !== undefined && isSame(finding.part, witness, finding.expected)
      ? engines[0]
      : finding.got !== undefined && isSame(finding.part, witness, finding.got)
        ? engines[1]
        : undefined;
  const does = side === 'example' ? 'the example says' : `${side} does`;
  const lines = side === undefined ? [] : [`The interpreter (vm) does what ${does}.`];
  if (witness.note !== undefined) lines.push('The interpreter (vm) warns:', ...noteLines(witness.note));
  return lines;
}

/** Do two outcomes have the part in common that is in question? */
function isSame(part: Finding['part'], a: Outcome, b: Outcome): boolean {
  const bytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
  switch (part) {
    case 'metadata':
      return bytes(a.metadata, b.metadata);
    case 'redirect':
      return a.redirect === b.redirect;
    case 'trace':
      return a.trace.join('\n') === b.trace.join('\n');
    case 'skb':
      return (
        a.mark === b.mark && a.priority === b.priority && a.cb.join() === b.cb.join() && a.tstamp === b.tstamp
      );
    default:
      return a.status === b.status && a.action === b.action && bytes(a.packet, b.packet);
  }
}

function noteLines(note: OutcomeNote): string[] {
  const { message, instruction } = note;
  // The machine's own messages begin with the place.
  const isSaid = instruction === undefined || message.startsWith(`instruction ${instruction}`);
  const lines = [isSaid ? message : `${message}, at instruction ${instruction}`];
  if (note.source !== undefined) {
    lines.push(`  ${note.source.file}:${note.source.line}: ${note.source.text.trim()}`);
  }
  return lines;
}

/** Where the case is, where it was first seen, and the commands that repeat it. */
export function closing(
  program: Program,
  divergence: Repeated & Saved,
  run: RunOptions | undefined,
): string[] {
  const lines = [...keptLines(divergence), ...seenLines(divergence, run)];
  if (run === undefined) return lines;
  const { repeat, alone } = commandsOf(program, divergence, run);
  return [
    ...lines,
    'Repeat it:',
    `  ${repeat}`,
    ...(alone === undefined ? [] : ['Run the case alone:', `  ${alone}`]),
  ];
}

function seenLines({ seen }: Repeated, run: RunOptions | undefined): string[] {
  // A proof makes its packet: it has no number.
  if (run?.command === 'prove') return [];
  return [
    'packet' in seen ? `First seen at packet ${seen.packet} of seed ${seen.seed}` : `Seen in ${seen.file}`,
  ];
}
