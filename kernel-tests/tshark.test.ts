/**
 * Decoded fields against tshark's, for generated headers of every protocol: names of filters and places of fields.
 *
 *     XDPSIM_TSHARK_PACKETS=100000 npx vitest run kernel-tests/tshark.test.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { COMPOSED_NAMES } from '../corpus/filter/composed-names.ts';
import { compileFilter } from '../corpus/filter/filter.ts';
import { addressFromText, macFromText } from '../sim/packet/addresses.ts';
import { headers } from '../sim/packet/arbitrary.ts';
import { type LayerStack, packet } from '../sim/packet/build.ts';
import { fromHex, toHex } from '../sim/packet/bytes.ts';
import type { Field } from '../sim/packet/declaration/field.ts';
import type { Protocol } from '../sim/packet/declaration/protocol.ts';
import { PROTOCOLS } from '../sim/packet/protocols.ts';
import { amount } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { tsharkFields } from './test-support/tshark.ts';

const EACH = Math.ceil(
  Number(process.env.XDPSIM_TSHARK_PACKETS ?? Object.keys(PROTOCOLS).length * amount(100, 2000)) /
    Object.keys(PROTOCOLS).length,
);
const SEED = 826;
/** In milliseconds, of one protocol. */
const TIMEOUT = 600_000 + 30 * EACH;

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-tshark-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const compared = (Object.values(PROTOCOLS) as Protocol[]).filter(
  // tshark shows QUIC only where it has seen the connection begin.
  (protocol) => protocol.name !== 'quic' && filteredFields(protocol).length > 0,
);

describeKernel('decoded fields are those of tshark', ['tshark'], () => {
  it.each(compared)(
    '$name',
    (protocol) => {
      const values = fc.sample(headers(protocol), { numRuns: EACH, seed: SEED }) as Record<string, unknown>[];
      const frames = framesWith(protocol, values);
      const fields = filteredFields(protocol);
      const shown = tsharkFields(
        join(scratch, 'frames.pcap'),
        frames,
        fields.map(({ field }) => field.options.filter!),
        'f',
        SETTINGS[protocol.name],
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
    },
    TIMEOUT,
  );
});

/** `struct iphdr` has it, Wireshark has two fields in its place; the bits of either address stand for both, and its old
 * name of the drop eligible bit is shown only where that is asked for. `icmp.mtu` is of one type and code, which no random header has. */
const NOT_OF_TSHARK: ReadonlySet<string> = new Set([
  'ip.frag_off',
  'eth.ig',
  'eth.lg',
  'vlan.cfi',
  'icmp.mtu',
]);

describeKernel('names made of several fields are those of tshark', ['tshark'], () => {
  const numbers = COMPOSED_NAMES.filter(
    ({ name, number }) => number !== undefined && !NOT_OF_TSHARK.has(name),
  );

  it.each(numbers.map(({ name, protocol }) => [name, protocol] as const))('%s', (name, protocol) => {
    const codec = PROTOCOLS[protocol as keyof typeof PROTOCOLS] as unknown as Protocol;
    const values = fc.sample(headers(codec), { numRuns: 40, seed: SEED });
    const frames = framesWith(codec, [...values, ...(SHOWN_ONLY_IN[name] ?? [])]);
    const shown = tsharkFields(join(scratch, 'composed.pcap'), frames, [name], 'f', SETTINGS[protocol]);
    const seen = shown.map(([text]) => text!).map((text, index) => ({ text, frame: frames[index]! }));
    const there = seen.filter(({ text }) => text !== '');
    expect(there.length).toBeGreaterThan(0);
    for (const { text, frame } of there) {
      const what = `${name} == ${text} in ${toHex(frame)}`;
      expect(compileFilter(`${name} == ${Number(text)}`).matches(frame), what).toBe(true);
    }
  });
});

/** PDU session containers in GTP-U: with a paging policy, with reflective quality of service, uplink, behind another extension. */
const SESSIONS: readonly unknown[] = [
  [0x85, '02008900 00000000'],
  [0x85, '01004900'],
  [0x85, '01100100'],
  [0xc0, '01000785 01003f00'],
].map(([nextExtension, bytes]) => ({
  extensionPresent: true,
  nextExtension,
  extensions: fromHex(String(bytes)),
}));

/** Headers for names that hardly any header of chance has. */
const SHOWN_ONLY_IN: Readonly<Record<string, readonly unknown[]>> = {
  'gtp.ext_hdr.pdu_ses_con.pdu_type': SESSIONS,
  'gtp.ext_hdr.pdu_ses_con.qos_flow_id': SESSIONS,
  'gtp.ext_hdr.pdu_ses_cont.ppp': SESSIONS,
  'gtp.ext_hdr.pdu_ses_cont.rqi': SESSIONS,
  'icmp.mtu': [{ type: 3, code: 4, body: { kind: 'unreachable', nextHopMtu: 1400 } }],
};

/** Behind so many bytes of what it quotes, in units of four, an ICMP error may have extensions (RFC 4884 §4.1). */
const QUOTED_WORDS = 32;

function framesWith(protocol: Protocol, values: readonly unknown[]): Uint8Array[] {
  const stack = lowerLayers(protocol) as unknown as Record<string, (given: unknown) => LayerStack>;
  const frames = values.map((value) => stack[protocol.name]!(value));
  return frames.map((frame) => (protocol.name === 'icmpext' ? inAnError(frame.bytes()) : frame.bytes()));
}

/** An ICMP error that these bytes end, behind the packet that it quotes. */
function inAnError(extensions: Uint8Array): Uint8Array {
  const message = new Uint8Array(QUOTED_WORDS * 4 + extensions.length);
  message.set(packet.ipv4().udp().payload(new Uint8Array(100)).bytes());
  message.set(extensions, QUOTED_WORDS * 4);
  return packet
    .ethernet()
    .ipv4()
    .icmp({ type: 11, body: { kind: 'unreachable', quotedLength: QUOTED_WORDS } })
    .payload(message)
    .bytes();
}

/** What tshark has to be told: of what it can see no sign in the packet, or decodes another way unless told. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  wlan: ['-o', 'capwap.swap_fc:FALSE'],
  wlanswapped: ['-o', 'capwap.swap_fc:TRUE'],
  pwethcw: ['-d', 'mpls.label==16,pwethcw'],
};

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
  const { etherType, ipProtocol, ipv4Protocol, ipv6Protocol, udpPort } = declaration.announcedBy ?? {};
  if (name === 'ethernet' || name === 'icmpext') return packet;
  if (name === 'ppp') return packet.ethernet().pppoe();
  if (name === 'llc') return packet.ethernet();
  if (name === 'snap' || name === 'stp') return packet.ethernet().llc();
  if (name === 'erspan' || name === 'erspan3') return packet.ethernet().ipv4().gre({ sequence: 1 });
  if (name === 'wlan' || name === 'wlanswapped') return packet.ethernet().ipv4().udp().capwap();
  if (name === 'pwethcw') return packet.ethernet().mpls({ label: 16 });
  if (etherType !== undefined) return packet.ethernet();
  if (udpPort !== undefined) return packet.ethernet().ipv4().udp({ destinationPort: udpPort[0]! });
  const isOfIpv6 = ipv6Protocol !== undefined && ipv4Protocol === undefined && ipProtocol === undefined;
  return isOfIpv6 ? packet.ethernet().ipv6() : packet.ethernet().ipv4();
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
