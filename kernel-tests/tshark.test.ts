/**
 * Decoded fields against tshark's, for generated headers of every protocol: names of filters and places of fields.
 *
 *     XDPSIM_TSHARK_PACKETS=100000 npx vitest run kernel-tests/tshark.test.ts
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { addressFromText, macFromText } from '../sim/packet/addresses.ts';
import { headers } from '../sim/packet/arbitrary.ts';
import { type LayerStack, packet } from '../sim/packet/build.ts';
import { toHex } from '../sim/packet/bytes.ts';
import type { Field } from '../sim/packet/declaration/field.ts';
import type { Protocol } from '../sim/packet/declaration/protocol.ts';
import { PROTOCOLS } from '../sim/packet/protocols.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = Number(process.env.XDPSIM_TSHARK_PACKETS ?? 3700);
const EACH = Math.ceil(PACKETS / Object.keys(PROTOCOLS).length);
const SEED = 826;

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-tshark-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What decodes each field by itself, without looking at other packets. */
const PREFERENCES = [
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
].flatMap((preference) => ['-o', preference]);

const compared = (Object.values(PROTOCOLS) as Protocol[]).filter(
  (protocol) => filteredFields(protocol).length > 0,
);

describeKernel('decoded fields are those of tshark', ['tshark'], () => {
  it.each(compared)('$name', (protocol) => {
    const values = fc.sample(headers(protocol), { numRuns: EACH, seed: SEED }) as Record<string, unknown>[];
    const below = lowerLayers(protocol);
    const stack = below as unknown as Record<string, (given: unknown) => LayerStack>;
    const frames = values.map((value) => stack[protocol.name]!(value).bytes());
    const fields = filteredFields(protocol);
    const shown = tsharkFields(
      frames,
      fields.map(({ field }) => field.options.filter!),
    );
    const shownOnce = new Set<string>();
    for (const [index, value] of values.entries()) {
      const body = (value.body ?? {}) as Record<string, unknown>;
      for (const [column, { name, field, kind }] of fields.entries()) {
        const stated = kind === undefined || body.kind === kind;
        const ours = kind === undefined ? value[name] : body[name];
        if (!stated || ours === undefined) continue;
        // tshark leaves out what has no meaning in a packet, such as the MTU in most ICMP errors.
        const theirs = shown[index]![column]!;
        if (theirs === '') continue;
        shownOnce.add(name);
        const what = `${protocol.name} ${index}: ${name} (${field.options.filter}) in ${toHex(frames[index]!)}`;
        expect(normal(field, theirs), what).toBe(normal(field, String(ours)));
      }
    }
    expect([...new Set(fields.map(({ name }) => name))].filter((name) => !shownOnce.has(name))).toEqual([]);
  });
});

interface Filtered {
  readonly name: string;
  readonly field: Field;
  /** The shape of the body that it belongs to. */
  readonly kind?: string;
}

function filteredFields({ declaration }: Protocol): Filtered[] {
  const found: Filtered[] = [];
  const add = (fields: Readonly<Record<string, Field>>, kind?: string): void => {
    for (const [name, field] of Object.entries(fields)) {
      if (field.options.filter === undefined || !field.stated) continue;
      found.push(kind === undefined ? { name, field } : { name, field, kind });
    }
  };
  add(declaration.fields);
  for (const { fields } of Object.values(declaration.sections ?? {})) add(fields);
  for (const [kind, { fields }] of Object.entries(declaration.variants?.cases ?? {})) add(fields, kind);
  return found;
}

/** What announces a protocol, from a frame on. */
function lowerLayers({ name, declaration }: Protocol): LayerStack {
  const { etherType, ipProtocol, udpPort } = declaration.announcedBy ?? {};
  if (name === 'ethernet') return packet;
  if (name === 'ppp') return packet.ethernet().pppoe();
  if (name === 'erspan' || name === 'erspan3') return packet.ethernet().ipv4().gre({ sequence: 1 });
  if (etherType !== undefined) return packet.ethernet();
  if (udpPort !== undefined) return packet.ethernet().ipv4().udp({ destinationPort: udpPort[0]! });
  const isOfIpv6 = ['hopopts', 'routing', 'fragment6', 'dstopts', 'mobility', 'hip', 'shim6', 'icmpv6'];
  return ipProtocol !== undefined && isOfIpv6.includes(name)
    ? packet.ethernet().ipv6()
    : packet.ethernet().ipv4();
}

/** tshark's values of some fields, the first occurrence of each, a row per frame. */
function tsharkFields(frames: readonly Uint8Array[], names: readonly string[]): string[][] {
  const file = join(scratch, 'frames.pcap');
  writeFileSync(file, pcapOf(frames));
  const columns = names.flatMap((name) => ['-e', name]);
  const run = spawnSync(
    'tshark',
    ['-n', '-r', file, ...PREFERENCES, '-T', 'fields', '-E', 'separator=|', '-E', 'occurrence=f', ...columns],
    { encoding: 'utf8', maxBuffer: 2 ** 30, env: { ...process.env, LC_ALL: 'C' } },
  );
  expect(run.status, run.stderr).toBe(0);
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('|'));
}

function pcapOf(frames: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [
    Uint8Array.from([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]),
  ];
  for (const bytes of frames) {
    const head = new DataView(new ArrayBuffer(16));
    head.setUint32(8, bytes.length, true);
    head.setUint32(12, bytes.length, true);
    parts.push(new Uint8Array(head.buffer), bytes);
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** One form for what both sides write in several. */
function normal(field: Field, text: string): string {
  switch (field.shown) {
    case 'mac':
      return toHex(macFromText(text));
    case 'ipv4':
    case 'ipv6':
      return toHex(addressFromText(text));
    case 'bytes':
      return text.replaceAll(':', '');
    default:
      if (text === 'true' || text === 'True') return '1';
      if (text === 'false' || text === 'False') return '0';
      return String(Number(text));
  }
}
