/**
 * What has one cause is one finding. A line that writes breaks several invariants where it writes too much or too seldom
 * looks at the packet first: the strongest of them stands for the others, which are listed with it.
 *
 * Two faults on two lines are never put together, nor two known causes of a wrong checksum: each wants a correction of
 * its own. Only a line that breaks more than `FEW` invariants is taken to write whatever the packet holds.
 */
import { RULES } from '../invariants/rules.ts';
import { SEVERITIES } from '../severity.ts';
import type { CheckFinding } from './finding.ts';

/** So many invariants a line may break for reasons of their own. */
export const FEW = 3;

const BY_WRITING =
  /^(checksum|lengths|fragments|payload|ethertype|pppoe|protocol|ttl|ecn|flow-label|icmp|dns|reply|tcp)\//;

/** Layers whose checksum programs do not know: to write there without knowing any is one fault. */
const FOREIGN = /^checksum\/(sctp|udplite|dccp|gre|igmp|pim|vrrp|ospf|ospf3|icmpext)$/;

/** A sum changed by what was written into a later fragment. */
const INTO_FRAGMENT = 'checksum/later-fragment';

const ORDER: ReadonlyMap<string, number> = new Map(RULES.map(({ id }, at) => [id, at]));

/** Findings with one cause, the strongest first. */
export interface Group {
  readonly members: readonly [CheckFinding, ...CheckFinding[]];
  /** Does the line break so much that all of it is one? */
  readonly isWholeLine: boolean;
}

/** @param findings each by itself: `also` of none is set */
export function groupsOf(findings: readonly CheckFinding[]): Group[] {
  const causes = new Map<string | undefined, string>();
  const intoFragments = new Set<string | undefined>();
  const garbage = new Set(findings.filter(isGarbage).map(placeOf));
  for (const one of findings) {
    if (isKnownCause(one)) causes.set(lineOf(one), causeOf(one)!);
    if (one.invariant === INTO_FRAGMENT) intoFragments.add(causeOf(one));
  }
  const keyOf = (one: CheckFinding): string | undefined => {
    const cause = causeOf(one);
    // A sum over bytes that nobody wrote is wrong for that reason, whatever its numbers look like.
    const isSummed = one.invariant.startsWith('checksum/') && garbage.has(placeOf(one));
    if (isSummed || isGarbage(one)) return placeOf(one) === undefined ? cause : `${placeOf(one)} garbage`;
    // What none of the usual mistakes explains is explained where its line makes one of them.
    if (one.invariant === 'checksum/unknown') return causes.get(lineOf(one)) ?? cause;
    // Written into the same data, whether or not the sum stays what it was.
    const sameData = `${lineOf(one)} ${INTO_FRAGMENT}`;
    return one.invariant === 'fragments/written' && intoFragments.has(sameData) ? sameData : cause;
  };
  const counts = new Map<string | undefined, number>();
  for (const [first] of together(findings, keyOf)) {
    const line = lineOf(first);
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const isCrowded = (one: CheckFinding): boolean => {
    const line = lineOf(one);
    return line !== undefined && counts.get(line)! > FEW;
  };
  return together(findings, (one) => (isCrowded(one) ? lineOf(one) : keyOf(one))).map((members) => ({
    members,
    isWholeLine: isCrowded(members[0]),
  }));
}

/** Findings of one line and cause as one, errors first. */
export function grouped(findings: readonly CheckFinding[]): CheckFinding[] {
  return groupsOf(findings)
    .map(asFinding)
    .sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}

/** The strongest of a group, which stands for it. */
export function asFinding({ members: [first, ...also], isWholeLine }: Group): CheckFinding {
  if (also.length === 0) return first;
  return { ...first, also, ...(isWholeLine ? { isWholeLine } : {}) };
}

/** The findings of groups, each by itself, the strongest of a group first. */
export function ungrouped(findings: readonly CheckFinding[]): CheckFinding[] {
  return findings.flatMap(({ also = [], isWholeLine: _, ...own }) => [own, ...also]);
}

/** Is it about what was written, and not about decisions, runs or the program's text? */
export function isByWriting({ invariant }: CheckFinding): boolean {
  return BY_WRITING.test(invariant);
}

/** Groups by key, in the order of their first; what has no key stays by itself. */
function together(
  findings: readonly CheckFinding[],
  keyOf: (finding: CheckFinding) => string | undefined,
): Group['members'][] {
  const groups = new Map<string | CheckFinding, [CheckFinding, ...CheckFinding[]]>();
  for (const one of findings) {
    const key = keyOf(one) ?? one;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [one]);
    else known.push(one);
  }
  return [...groups.values()].map((members) => members.sort((a, b) => weakness(a) - weakness(b)));
}

/** Errors before warnings, and in the order of the register: a known cause before an unknown one. Garbage explains what it is in. */
function weakness(finding: CheckFinding): number {
  const { severity, invariant } = finding;
  if (isGarbage(finding)) return -1;
  return SEVERITIES.indexOf(severity) * RULES.length + (ORDER.get(invariant) ?? 0);
}

function lineOf(finding: CheckFinding): string | undefined {
  return finding.severity === 'info' || !isByWriting(finding) ? undefined : placeOf(finding);
}

function placeOf({ source }: CheckFinding): string | undefined {
  return source === undefined ? undefined : `${source.file}:${source.line}`;
}

/** Are bytes that nobody wrote in the frame? */
function isGarbage({ invariant, severity }: CheckFinding): boolean {
  return invariant === 'uninitialized/frame' && severity === 'error';
}

function isKnownCause(finding: CheckFinding): boolean {
  const { invariant } = finding;
  const isSum = invariant.startsWith('checksum/') && invariant !== 'checksum/unknown';
  return isSum && !FOREIGN.test(invariant) && lineOf(finding) !== undefined;
}

function causeOf(finding: CheckFinding): string | undefined {
  const line = lineOf(finding);
  if (line === undefined) return undefined;
  const { invariant } = finding;
  const [family] = invariant.split('/');
  if (family !== 'checksum') return `${line} ${family}`;
  return `${line} ${FOREIGN.test(invariant) ? 'foreign checksum' : invariant}`;
}
