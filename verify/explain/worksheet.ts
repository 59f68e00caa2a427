/** A checksum worked out by hand, as on paper: words, carries, folds, the difference, and what would make it right. */

import { swapped } from '../../sim/packet/checksum.ts';
import { isRightKnown } from '../oracle/found.ts';
import type { Cause, ChecksumEvidence } from './cause.ts';
import { rightChecksum } from './diagnose.ts';
import { complement, folded, foldedOnce, hex16, sameOnes } from './ones.ts';

/** Changed words listed at the most. */
const MAX_WORDS = 12;

/**
 * Lines of text.
 * @param expected what the reference has in the field, where there is one
 */
export function checksumWorksheet(evidence: ChecksumEvidence, cause: Cause, expected?: number): string[] {
  const { before, after, words, changes, updated, recomputed } = evidence;
  const isKnown = expected !== undefined || after.status !== 'illegal' || isRightKnown(after);
  if (!isKnown) return unknownLines(evidence, cause);
  const right = expected ?? rightChecksum(evidence);
  const covered = `bytes ${after.start}–${after.end - 1}`;
  const pseudo = after.pseudo.length > 0 ? ' and the pseudo-header' : '';
  const lines = [`Checksum of ${after.layer} at byte ${after.at}, over ${covered}${pseudo}`];
  const { came, left } = wayOf(evidence);
  lines.push(`  ${came}; ${left}; it should be ${hex16(right)}${besides(evidence, right)}`);

  if (changes.length > 0) {
    const shown = changes.slice(0, MAX_WORDS);
    const names = shown.map(({ group, at }) => nameOf(group, at));
    const width = Math.max(26, ...names.map(({ length }) => length));
    lines.push(`  ${'changed words'.padEnd(width + 2)} before   after`);
    for (const [index, { from, to }] of shown.entries())
      lines.push(`    ${names[index]!.padEnd(width)} ${hex16(from)}   ${hex16(to)}`);
    if (changes.length > MAX_WORDS) lines.push(`    … and ${changes.length - MAX_WORDS} more`);
  }
  if (before !== undefined && updated !== undefined && changes.length > 0) {
    lines.push(...updateLines(evidence, before.got));
  }
  const sum = words.reduce((total, { value }) => total + value, 0);
  lines.push(
    `  from scratch: ${words.length} words add up to ${hex(sum)}${foldText(sum)}, complement ${hex16(recomputed)}`,
  );
  if (sameOnes(recomputed, 0)) lines.push(`    0x0000 and 0xffff are the two zeros; ${zeroRule(evidence)}`);
  if (!sameOnes(after.got, right)) {
    const above = (after.got + complement(right)) % 0xffff;
    const [sign, delta] = above <= 0x7fff ? ['+', above] : ['−', 0xffff - above];
    lines.push(
      `  difference: ${hex16(after.got)} is ${hex16(right)} ${sign} ${hex16(delta)} (bytes swapped: ${hex16(swapped(delta))})`,
    );
  }
  lines.push(...causeLines(cause));
  return lines;
}

/** Who does not know the defect does not know what would mend it. */
function causeLines(cause: Cause): string[] {
  const lines = [`  ${cause.sentence}${shareText(cause)}`];
  if (cause.id !== 'unknown') lines.push(`  it would be right if ${cause.remedy}`);
  return lines;
}

/** Of a checksum that must not be what it is, while no length says what it goes over: nothing is added up. */
function unknownLines(evidence: ChecksumEvidence, cause: Cause): string[] {
  const { after } = evidence;
  const { came, left } = wayOf(evidence);
  return [
    `Checksum of ${after.layer} at byte ${after.at}`,
    `  ${came}; ${left}; what it should be is not known: the lengths of the packet do not say what it covers`,
    ...causeLines(cause),
  ];
}

/** What the checksum came and left as. */
function wayOf({ before, after }: ChecksumEvidence): { came: string; left: string } {
  const came =
    before === undefined ? 'it was not there before' : `it came as ${hex16(before.got)}, ${before.status}`;
  return { came, left: `it left as ${hex16(after.got)}, ${after.status}` };
}

function shareText({ packets = 1, of = 1 }: Cause): string {
  if (of === 1) return '';
  return packets === of ? ` (so in all ${of} packets)` : ` (so in ${packets} of ${of} packets)`;
}

/** What came wrong should stay as wrong; a decoded packet shows what is right, which is another number. */
function besides({ before, after }: ChecksumEvidence, right: number): string {
  if (before?.status !== 'bad' || right === after.expected) return '';
  return `, as wrong as it came (${hex16(after.expected)} would be right)`;
}

/** "TTL and protocol (byte 22)"; what names the pseudo-header by itself needs no place. */
function nameOf(group: string, at: number): string {
  if (at >= 0) return `${group} (byte ${at})`;
  return group.startsWith('pseudo-header') ? group : `${group} (pseudo-header)`;
}

function updateLines({ changes, updated }: ChecksumEvidence, checksum: number): string[] {
  const sum = changes.reduce((total, { from, to }) => total + complement(from) + to, complement(checksum));
  const lines = ["  update, RFC 1624 eq. 3: HC' = ~(~HC + ~m + m')"];
  if (changes.length <= 3) {
    const terms = [hex16(checksum), ...changes.flatMap(({ from, to }) => [hex16(from), hex16(to)])];
    const numbers = [complement(checksum), ...changes.flatMap(({ from, to }) => [complement(from), to])];
    const symbols = terms.map((term, index) => (index === 0 || index % 2 === 1 ? `~${term}` : term));
    lines.push(`    ${symbols.join(' + ')}`, `    = ${numbers.map(hex16).join(' + ')}`);
  }
  lines.push(`    = ${hex(sum)}${foldText(sum)}, complement ${hex16(updated ?? 0)}`);
  return lines;
}

/** ", folded 0x10000, folded again 0x0001" */
function foldText(sum: number): string {
  let text = '';
  let rest = sum;
  for (let fold = 0; rest > 0xffff && fold < 4; fold++) {
    rest = foldedOnce(rest);
    text += fold === 0 ? `, folded ${hex(rest)}` : `, folded again ${hex(rest)}`;
  }
  return rest === folded(sum) ? text : `${text}, …`;
}

function zeroRule({ after, words }: ChecksumEvidence): string {
  if (after.layer === 'udp')
    return 'UDP writes a computed zero as 0xffff, since 0x0000 means "none" (RFC 768)';
  if (after.layer === 'icmpext')
    return 'in an ICMP extension 0xffff is written, since 0x0000 means "none" (RFC 4884 §7)';
  if (words.every(({ value }) => value === 0))
    return 'over nothing but zeros only 0xffff verifies (RFC 1624 §3)';
  return 'both verify here';
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
