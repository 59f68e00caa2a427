/** What was found in a capture, for people. */
import { linkTypeName } from '../../corpus/formats/link-type.ts';
import type { CaptureChecker } from '../../verify/captures/checker.ts';
import { conversationText } from '../../verify/captures/conversation.ts';
import { type CaptureFault, REPORTED_STATUSES } from '../../verify/captures/fault.ts';
import { CHECKSUM_LAYERS, isRightKnown } from '../../verify/oracle/found.ts';
import { count, rate, type Terminal, table } from '../terminal.ts';
import type { FileReport } from './check-file.ts';

export interface TextOptions {
  /** Only what is wrong. */
  readonly bad?: boolean;
  readonly layers?: ReadonlySet<string> | undefined;
  readonly strict?: boolean;
  readonly mtu: number;
}

/** Conversations that are listed at the most. */
const FLOWS_SHOWN = 10;

export function printReport(report: FileReport, options: TextOptions, terminal: Terminal): void {
  const { file, checker, seconds, error } = report;
  // Nothing was found in a file that could not even be opened.
  if (error !== undefined && checker.packets === 0) return;
  const speed = seconds < 0.5 ? '' : `, ${rate(checker.packets, seconds)}`;
  if (options.bad !== true) {
    terminal.print(
      `${terminal.style('bold', file)}: ${matchedText(checker)}${packetsText(checker.packets)}${speed}`,
    );
    printTable(checker, options, terminal);
    for (const note of notes(checker, options)) terminal.print(`  ${note}`);
  } else if (checker.faultCount > 0) {
    terminal.print(terminal.style('bold', file));
  }
  printFaults(checker, terminal);
  if (options.bad === true) return;
  const { faultCount } = checker;
  const upTo =
    error === undefined ? '' : `; checked up to packet ${count(checker.packets)}, the rest cannot be read`;
  const none = whyNothing(checker) ?? 'no faults';
  terminal.print(`  ${faultCount === 0 ? none : faultsText(faultCount)}${upTo}`);
}

function printTable(checker: CaptureChecker, { layers }: TextOptions, terminal: Terminal): void {
  const isShown = (layer: string): boolean => layers === undefined || layers.has(layer);
  const rows = CHECKSUM_LAYERS.filter(
    (layer) => isShown(layer) && REPORTED_STATUSES.some((status) => checker.count(layer, status) > 0),
  ).map((layer) => [layer, ...REPORTED_STATUSES.map((status) => count(checker.count(layer, status)))]);
  const unexamined = layers === undefined ? [...checker.unexamined] : [];
  if (rows.length === 0 && unexamined.length === 0) {
    if (whyNothing(checker) === undefined) terminal.print('  no checksums');
    return;
  }
  const hasUnexamined = unexamined.length > 0;
  for (const row of hasUnexamined ? rows : []) row.push('');
  const more = unexamined
    .sort(([, a], [, b]) => b - a)
    .map(([name, packets]) => [name, ...REPORTED_STATUSES.map(() => ''), count(packets)]);
  const head = ['', ...REPORTED_STATUSES, ...(hasUnexamined ? ['not examined'] : [])];
  const columns = new Set(head.map((_, index) => index).slice(1));
  for (const line of table([head, ...rows, ...more], columns)) terminal.print(`  ${line}`);
}

function notes(checker: CaptureChecker, { strict, mtu }: TextOptions): string[] {
  const lines: string[] = [];
  for (const [linkType, packets] of checker.skipped) {
    lines.push(
      `${packetsText(packets)} of ${linkTypeName(linkType)} skipped: not a link type that can be read`,
    );
  }
  const unfinished = CHECKSUM_LAYERS.reduce((sum, layer) => sum + checker.count(layer, 'offload'), 0);
  if (unfinished > 0 && strict !== true) {
    lines.push(
      `${count(unfinished)} not filled in yet (offload): captured before the network card finished them; --strict counts them as bad`,
    );
  }
  if (checker.largePackets > 0) {
    lines.push(
      `${packetsText(checker.largePackets)} longer than ${count(mtu)} bytes: jumbo frames, or segments before the network card divides them (TSO) or after it merged them (GRO)`,
    );
  }
  if (checker.reassembled > 0) {
    lines.push(
      `${count(checker.reassembled)} fragmented ${checker.reassembled === 1 ? 'datagram' : 'datagrams'} reassembled`,
    );
  }
  if (checker.incompleteFragments > 0) {
    const { incompleteFragments } = checker;
    lines.push(
      `${count(incompleteFragments)} ${incompleteFragments === 1 ? 'fragment' : 'fragments'} of datagrams that are not all there: unverifiable`,
    );
  }
  return lines;
}

function printFaults(checker: CaptureChecker, terminal: Terminal): void {
  const { faults, faultCount, flows } = checker;
  for (const fault of faults) {
    terminal.print(terminal.style('red', `  ${faultLine(fault)}`));
    const flow = conversationText(fault);
    const cause = fault.cause?.sentence;
    const details = [flow, cause].filter((text) => text !== undefined && text !== '').join(': ');
    if (details !== '') terminal.print(`    ${details}`);
  }
  if (faultCount > faults.length) {
    terminal.print(`  … and ${count(faultCount - faults.length)} more (--max-faults lists more)`);
  }
  if (faultCount < 2 || flows.size === 0) return;
  terminal.print('  faults by flow:');
  const rows = flows
    .list(FLOWS_SHOWN)
    .map(({ flow, layer, faults: found, difference }) => [
      count(found),
      layer,
      flow,
      found > 1 && difference > 0
        ? `all wrong by ${hex(difference)}: a field was changed without updating it`
        : '',
    ]);
  for (const line of table(rows, new Set([0]))) terminal.print(`    ${line}`);
  const left = flows.size - FLOWS_SHOWN;
  if (left > 0) terminal.print(`    … and ${count(left)} more flows (--json lists all)`);
}

/** "packet 17: udp checksum bad: got 0x1234, expected 0x1235" */
function faultLine(fault: CaptureFault): string {
  return `packet ${fault.packet}: ${checksumLine(fault)}`;
}

/** "udp checksum bad: got 0x1234, expected 0x1235" */
export function checksumLine({ layer, depth, status, got, expected, reassembled }: CaptureFault): string {
  const place = depth === 0 ? layer : `${layer} (depth ${depth})`;
  const whole = reassembled === true ? ' of the reassembled datagram' : '';
  return `${place} checksum${whole} ${status}: got ${hex(got, layer)}, expected ${status !== 'illegal' || isRightKnown({ got, expected }) ? '' : 'not '}${hex(expected, layer)}`;
}

function whyNothing({ packets, filteredOut }: CaptureChecker): string | undefined {
  if (packets === 0) return 'no packets: nothing was checked';
  return packets === filteredOut ? 'no packet matches the filter: nothing was checked' : undefined;
}

function matchedText({ packets, filteredOut }: CaptureChecker): string {
  return filteredOut === 0 ? '' : `${count(packets - filteredOut)} of `;
}

function packetsText(packets: number): string {
  return `${count(packets)} ${packets === 1 ? 'packet' : 'packets'}`;
}

function faultsText(faults: number): string {
  return faults === 1 ? '1 fault' : `${count(faults)} faults`;
}

/** 16 bits; SCTP's CRC has 32. */
export function hex(value: number, layer: string = ''): string {
  return `0x${value.toString(16).padStart(layer === 'sctp' ? 8 : 4, '0')}`;
}
