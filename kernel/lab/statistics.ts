/** What programs have counted: packets and bytes by action, packets by protocol. */
import { EngineError } from '../../sim/engines/engine.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import { withMaps } from './device-maps.ts';
import type { Lab } from './lab.ts';

/** The counters at one moment; totals since the program was loaded. */
export interface Counters {
  /** In milliseconds, by a clock that only goes forward. */
  readonly at: number;
  /** From `xdp_stats_map`, one row for every action; undefined where the programs have no such map. */
  readonly actions: readonly ActionCount[] | undefined;
  /** From `rxcnt`, the protocols that were seen, by number; undefined where the programs have no such map. */
  readonly protocols: readonly ProtocolCount[] | undefined;
}

export interface ActionCount {
  readonly action: string;
  readonly packets: number;
  readonly bytes: number;
}

export interface ProtocolCount {
  /** IPv4 protocol or IPv6 next header; 0 also for what is neither IPv4 nor IPv6. */
  readonly protocol: number;
  readonly packets: number;
}

const STATISTICS = 'xdp_stats_map';
const PROTOCOLS = 'rxcnt';

/**
 * Reads a device's counters.
 * @throws {EngineError} `input`, where its programs count nothing
 */
export function readCounters(lab: Lab, name: string): Counters {
  return withMaps(lab, name, (maps) => {
    const snapshot = (map: string, keySize: number, valueSize: number): MapSnapshot | undefined => {
      const found = maps.find((one) => one.map.name === map);
      const { definition } = found?.map ?? {};
      return definition?.keySize === keySize && definition.valueSize === valueSize
        ? found?.map.snapshot()
        : undefined;
    };
    const actions = snapshot(STATISTICS, 4, 16);
    const protocols = snapshot(PROTOCOLS, 4, 8);
    if (actions === undefined && protocols === undefined) {
      const has = maps.map((one) => one.map.name).join(', ') || 'none';
      throw new EngineError(
        'input',
        `the programs on ${name} have neither ${STATISTICS} nor ${PROTOCOLS}; their maps: ${has}`,
        { remedy: `load one that counts, or look at its maps: xdpsim lab maps ${name}` },
      );
    }
    return {
      at: performance.now(),
      actions: actions === undefined ? undefined : actionsOf(actions),
      protocols: protocols === undefined ? undefined : protocolsOf(protocols),
    };
  });
}

/** One row of a report: totals, and rates over the time since the report before. */
export interface ActionRate extends ActionCount {
  readonly packetsPerSecond: number;
  readonly megabitsPerSecond: number;
}

export interface ProtocolRate extends ProtocolCount {
  readonly packetsPerSecond: number;
}

export interface Rates {
  /** Seconds between the two moments. */
  readonly period: number;
  readonly actions: readonly ActionRate[] | undefined;
  readonly protocols: readonly ProtocolRate[] | undefined;
}

/**
 * The rates between two moments. Counters that went down began anew (another program was loaded): then all of them
 * counts as new.
 */
export function ratesBetween(before: Counters, now: Counters): Rates {
  const period = (now.at - before.at) / 1000;
  const perSecond = (amount: number, past: number): number =>
    period > 0 ? (amount >= past ? amount - past : amount) / period : 0;
  return {
    period,
    actions: now.actions?.map((row) => {
      const past = before.actions?.find((one) => one.action === row.action);
      return {
        ...row,
        packetsPerSecond: perSecond(row.packets, past?.packets ?? 0),
        megabitsPerSecond: (perSecond(row.bytes, past?.bytes ?? 0) * 8) / 1e6,
      };
    }),
    protocols: now.protocols?.map((row) => {
      const past = before.protocols?.find((one) => one.protocol === row.protocol);
      return { ...row, packetsPerSecond: perSecond(row.packets, past?.packets ?? 0) };
    }),
  };
}

/** `struct datarec { __u64 rx_packets; __u64 rx_bytes; }`, all CPUs together. */
function actionsOf(map: MapSnapshot): ActionCount[] {
  return map
    .list()
    .map(({ key, value }) => ({ action: u32(key), packets: u64(value, 0), bytes: u64(value, 8) }))
    .sort((a, b) => a.action - b.action)
    .map((row) => ({ ...row, action: actionName('xdp', row.action) }));
}

function protocolsOf(map: MapSnapshot): ProtocolCount[] {
  return map
    .list()
    .map(({ key, value }) => ({ protocol: u32(key), packets: u64(value, 0) }))
    .filter((row) => row.packets > 0)
    .sort((a, b) => a.protocol - b.protocol);
}

function u32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Exact up to 2^53: at ten million packets a second, for 28 years. */
function u64(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true));
}
