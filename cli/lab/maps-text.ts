/** Maps as what their types say they are. */
import type { EntryDump, MapDump } from '../../kernel/lab/map-dump.ts';
import { formatValue, toJson } from '../../sim/ebpf/btf-value.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Terminal } from '../terminal.ts';

/** The kernel keeps no types of these, but their keys and values are numbers. */
const NUMBERED: ReadonlySet<MapType> = new Set(['DEVMAP', 'DEVMAP_HASH']);

type Part = 'key' | 'value';

/** A map as lines: its definition, then its entries. Of an array, entries that are all zero are left out. */
export function mapLines(dump: MapDump, terminal: Terminal): string[] {
  const { name, type, maxEntries } = dump.definition;
  const lines = [terminal.style('bold', `${name} (${type}, id ${dump.id}, ${maxEntries} entries)`)];
  if (dump.entries === undefined) return [...lines, '  its contents cannot be listed'];
  const isArray = type === 'ARRAY' || type === 'PERCPU_ARRAY';
  const shown = dump.entries.filter((entry) => !isArray || entry.value.some((byte) => byte !== 0));
  for (const entry of shown) lines.push(...entryLines(dump, entry));
  if (dump.entries.length === 0) lines.push('  empty');
  const zeros = dump.entries.length - shown.length;
  if (zeros > 0) lines.push(`  ${zeros} ${zeros === 1 ? 'entry is' : 'entries are'} all zero`);
  return lines;
}

function entryLines(dump: MapDump, { key, value, cpus }: EntryDump): string[] {
  const head = `  ${text(dump, 'key', key)}: ${text(dump, 'value', value)}`;
  if (cpus === undefined) return [head];
  const busy = cpus.flatMap((one, cpu) =>
    one.some((byte) => byte !== 0) ? [`    cpu ${cpu}: ${text(dump, 'value', one)}`] : [],
  );
  return [head, ...busy];
}

/** A map with all of its entries; `value` of a per-CPU map is the sum of `cpus`. */
export function mapToJson(dump: MapDump): object {
  const { definition, id, entries } = dump;
  return {
    ...definition,
    id,
    entries:
      entries?.map(({ key, value, cpus }) => ({
        key: json(dump, 'key', key),
        value: json(dump, 'value', value),
        ...(cpus === undefined ? {} : { cpus: cpus.map((one) => json(dump, 'value', one)) }),
      })) ?? null,
  };
}

function text(dump: MapDump, part: Part, bytes: Uint8Array): string {
  const type = dump.types?.[part] ?? 0;
  if (type !== 0) return formatValue(dump.types!.btf, type, bytes);
  const number = untypedNumber(dump, part, bytes);
  return number === undefined ? hex(bytes) : String(number);
}

function json(dump: MapDump, part: Part, bytes: Uint8Array): unknown {
  const type = dump.types?.[part] ?? 0;
  if (type !== 0) return toJson(dump.types!.btf, type, bytes);
  return untypedNumber(dump, part, bytes) ?? hex(bytes);
}

/** The key of every array is a u32; a device map's value begins with an ifindex. */
function untypedNumber({ definition }: MapDump, part: Part, bytes: Uint8Array): number | undefined {
  const { type } = definition;
  const isKey = part === 'key' && (type === 'ARRAY' || type === 'PERCPU_ARRAY');
  if (!isKey && !NUMBERED.has(type)) return undefined;
  if (bytes.length !== 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}
