/** Counters and their rates, for people and for programs. */
import type { Rates } from '../../kernel/lab/statistics.ts';
import { count, table } from '../terminal.ts';

/** What the kernel's sources call the protocols (include/uapi/linux/in.h), as far as one meets them. */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  0: 'other',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  43: 'ROUTING',
  44: 'FRAGMENT',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'NONE',
  60: 'DSTOPTS',
  89: 'OSPF',
  132: 'SCTP',
};

const RIGHT = new Set([1, 2, 3, 4, 5]);

export function ratesLines(rates: Rates): string[] {
  const period = `${rates.period.toFixed(2)} s`;
  const lines: string[] = [];
  if (rates.actions !== undefined) {
    const rows = rates.actions.map((row) => [
      row.action,
      count(row.packets),
      count(row.packetsPerSecond),
      count(row.bytes / 1000),
      row.megabitsPerSecond.toFixed(3),
      period,
    ]);
    lines.push(...table([['action', 'packets', 'pps', 'kB', 'Mbit/s', 'period'], ...rows], RIGHT));
  }
  if (rates.protocols !== undefined) {
    if (lines.length > 0) lines.push('');
    const rows = rates.protocols.map((row) => [
      protocolName(row.protocol),
      count(row.packets),
      count(row.packetsPerSecond),
      period,
    ]);
    lines.push(...table([['protocol', 'packets', 'pps', 'period'], ...rows], RIGHT));
    if (rows.length === 0) lines.push('nothing counted yet');
  }
  return lines;
}

export function ratesToJson(rates: Rates): object {
  return {
    period: rates.period,
    ...(rates.actions === undefined ? {} : { actions: rates.actions }),
    ...(rates.protocols === undefined
      ? {}
      : { protocols: rates.protocols.map((row) => ({ ...row, name: protocolName(row.protocol) })) }),
  };
}

function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? String(protocol);
}
