/** Where a finding belongs: the line that decides it, and how much it weighs where the test made up what a map or slot holds. */
import type { RunTrace } from '../../sim/ebpf/interpreter/trace.ts';
import type { ByteRange } from '../../sim/packet/hexdump.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { checksumCover, checksumFields } from '../explain/checksum-site.ts';
import type { Divergence } from '../report.ts';
import type { CheckOptions } from './check-options.ts';
import { ConstantValues } from './constant-values.ts';
import type { CheckFinding } from './finding.ts';
import { KeyBytes } from './key-bytes.ts';
import { looksAtLabel } from './label-meaning.ts';
import { lineLeavingZero } from './left-alone.ts';
import { lowersElsewhere } from './lowers-elsewhere.ts';
import { MapContents } from './map-contents.ts';
import { placeholderReturning } from './placeholders.ts';
import { decidingLine, hasContents, traceOf } from './probe.ts';

/** What may be a map's fault: what a program does with a number from a map, it does because the map says so. */
const DEPENDS_ON_CONTENTS =
  /^(action|redirect|reply|ttl|ecn|flow-label|mpls|tcp|pppoe|protocol|arp|dns|neighbour)\/|^ethertype\/(?!compared|unchecked)|^fragments\/ports-read$|^lengths\/misplaced$|^lookup\/prefix-length$/;

/** What may come ready-made: a header, the sum of one, the difference that a change makes to it. */
const READY_MADE = /^(checksum|lengths)\//;

/** Fields that are 0, which a map or a variable may hold until somebody fills it in. */
const ZEROS: ReadonlySet<string> = new Set([
  'reply/zero-source',
  'ttl/zero',
  'mpls/zero-ttl',
  'reply/reset-number',
  'reply/mtu',
  'arp/sender-mac',
  'neighbour/router-source',
]);

/** How an EtherType of IPv4 or IPv6 is written. */
const IP_TYPES = /^0x(0800|86dd) /;

/** With the line that decided, and no error where it took a map's contents that the test made up. */
export async function placedFinding(
  { program, worlds }: Pick<CheckOptions, 'program' | 'worlds'>,
  finding: CheckFinding,
): Promise<CheckFinding> {
  const { divergence } = finding;
  if (divergence === undefined) return finding;
  const line = await betterLine(program, finding, divergence);
  const found = line === undefined ? finding : { ...finding, source: line };
  const isLabels = await isOfLabel(program, divergence);
  const placed = isLabels ? asOfLabel(found) : found;
  if (divergence.isByGuess === true && divergence.severity !== 'info')
    return {
      ...placed,
      severity: 'info',
      summary: `${placed.summary}: say what belongs there (--world) to have it judged`,
    };
  const placeholder =
    finding.invariant === 'action/unknown' ? await placeholderReturning(program, divergence) : undefined;
  if (placeholder !== undefined)
    return {
      ...placed,
      severity: 'info',
      summary: `${placed.summary} (by ${placeholder}, which stands for a function that whoever loads the program puts there)`,
    };
  if (worlds !== undefined || program.definition !== undefined) return placed;
  const isMadeUp = hasContents(divergence.case.world);
  const isZero = ZEROS.has(placed.invariant) && divergence.finding.breach?.got === '0';
  if (READY_MADE.test(finding.invariant) && (await isReadyMade(program, divergence)))
    return {
      ...placed,
      severity: 'info',
      summary: `${placed.summary} (with a ready-made header, sum or difference, whose contents nobody stated)`,
    };
  const mayDepend = isMadeUp && DEPENDS_ON_CONTENTS.test(finding.invariant);
  if (
    !mayDepend ||
    !((isLabels && (await isToldByMap(program, divergence))) || (await isFromMap(program, divergence)))
  )
    return isZero && !(await isConstant(program, divergence)) ? { ...placed, severity: 'warning' } : placed;
  return {
    ...placed,
    severity: 'info',
    summary: `${placed.summary} (with contents of maps that the test made up)`,
  };
}

/** Is it the packet behind a label that the program looked for, which may stand for the other version alone? */
async function isOfLabel(program: Program, divergence: Divergence): Promise<boolean> {
  const { breach } = divergence.finding;
  if (breach?.invariant !== 'ethertype/stale') return false;
  return IP_TYPES.test(breach.got) && IP_TYPES.test(breach.expected) && looksAtLabel(program, divergence);
}

/** Does a map say which version of IP the label stands for? */
async function isToldByMap(program: Program, { case: shown }: Divergence): Promise<boolean> {
  const trace = await traceOf(program, shown);
  return trace !== undefined && new MapContents(program, shown.world, trace).hasDecided();
}

function asOfLabel(finding: CheckFinding): CheckFinding {
  const severity = finding.severity === 'error' ? 'warning' : finding.severity;
  return {
    ...finding,
    severity,
    summary: `${finding.summary} (unless the label stands for the other version alone)`,
  };
}

/** The line to blame where the last write to the bytes in question is not it, or where there is none. */
async function betterLine(
  program: Program,
  { invariant, source }: CheckFinding,
  divergence: Divergence,
): Promise<CheckFinding['source']> {
  if (invariant === 'checksum/zero-left-alone') return lineLeavingZero(program, divergence);
  const decides = /^(action|redirect|uninitialized)\//.test(invariant);
  return source === undefined && decides ? decidingLine(program, divergence.case) : undefined;
}

/** Are the bytes in question the program's own constants or the packet's, and none that a map or a variable holds? */
async function isConstant(
  program: Program,
  { case: shown, finding: { breach } }: Divergence,
): Promise<boolean> {
  const trace = await traceOf(program, shown);
  if (trace === undefined || breach === undefined) return false;
  const values = new ConstantValues(program, trace, true);
  const range = [breach.at, breach.at + breach.size] as const;
  return values.isWritten(...range) || values.isLeft(...range);
}

/**
 * Is a header's field copied from contents that nobody stated, or does a checksum depend on such that go nowhere else? The test
 * cannot make up a sum that fits an address: whether they agree is for whoever fills the map. A program that only takes the
 * address from there computes the sum itself.
 */
async function isReadyMade(program: Program, { case: shown, finding }: Divergence): Promise<boolean> {
  const field = fieldOf(finding);
  // Behind other packets, what a map holds may be what the program put there.
  if (field === undefined || shown.stimuli.length !== 1) return false;
  const trace = await traceOf(program, shown);
  if (trace === undefined) return false;
  const contents = new MapContents(program, shown.world, trace);
  const left = finding.got?.packet;
  if (contents.isCopied(field)) return true;
  return finding.fault !== undefined && left !== undefined
    ? contents.isOnlyIn(field, checksumFields(left), left.length)
    : false;
}

/** The bytes in question in the packet that left. */
function fieldOf({ breach, fault, got }: Divergence['finding']): ByteRange | undefined {
  if (breach !== undefined) return { from: breach.at, to: breach.at + breach.size };
  if (fault === undefined || got === undefined) return undefined;
  return checksumCover(got.packet, fault.layer, fault.depth)?.field;
}

/** Does what is wrong come from a map? What a filled map only let run is the program's own. */
async function isFromMap(
  program: Program,
  { case: shown, finding: { breach } }: Divergence,
): Promise<boolean> {
  const trace = await traceOf(program, shown);
  if (trace === undefined || breach === undefined) return true;
  const contents = new MapContents(program, shown.world, trace);
  const { invariant, at, size } = breach;
  // Which packets are looked for, a map may say; what is returned for them is the program's own, whatever was compared before.
  if (invariant === 'action/malformed-only') return contents.isReturned() || contents.hasDecided();
  if (invariant.startsWith('action/')) return contents.isReturned();
  // What was returned may say "redirect" though no helper did.
  if (invariant === 'redirect/no-target' && contents.isReturned()) return true;
  if (invariant === 'redirect/refused') return contents.areRedirectFlags();
  if (invariant.startsWith('redirect/')) return contents.isRedirected();
  // Which address the packet has twice is no matter, unless a map names one of the two.
  if (invariant === 'reply/new-header-to-itself')
    return (
      contents.isWritten(at - size, at + size) &&
      !contents.areSame({ from: at - size, to: at }, { from: at, to: at + size })
    );
  if (invariant === 'reply/to-itself') return contents.isWritten(at - size, at + size);
  if (invariant === 'ttl/not-lowered' && !contents.isWritten(at, at + size))
    return contents.hasDecided() && mayLower(program, contents, trace, at);
  // Where headers are is the program's to know, whatever a map holds for them: unless it says where to look.
  if (/^(fragments|lengths)\//.test(invariant)) return contents.isReadWhereTold();
  if (invariant === 'lookup/prefix-length') return contents.arePrefixLengths();
  // Of bytes in the frame it has a size.
  if (invariant === 'ethertype/byte-order' && size === 0) return contents.areTagTypes();
  if (size === 0 || contents.isWritten(at, at + size)) return true;
  const { packet } = shown.stimuli.at(-1)!;
  return new KeyBytes(program, shown.world, packet, trace).areWritten(at, at + size);
}

/**
 * Nothing was written there: is it a map's to say whether the program lowers a TTL? So it is where it chose the next hop, and where
 * the program can lower that TTL on another way. Who asks a map only which packets to route, and then lowers none, is to blame.
 */
function mayLower(program: Program, contents: MapContents, trace: RunTrace, at: number): boolean {
  return !contents.isRoutedByPacket() || lowersElsewhere(program, trace, at);
}
