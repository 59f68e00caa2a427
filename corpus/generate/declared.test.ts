/** Every declared protocol is generated: well-formed, and with each mutation that has a meaning for it. */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../sim/packet/bytes.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { protocolByName, protocols } from '../../sim/packet/protocols.ts';
import { decodeTree, type TreeNode, treeToText } from '../../sim/packet/tree.ts';
import { layersOf } from '../../sim/packet/walk-layers.ts';
import { CHECKSUM, CHECKSUM_LAYERS, verifyChecksums } from '../../verify/oracle/checksums.ts';
import { form } from './forms.ts';
import { PacketGenerator } from './generator.ts';
import type { MutationName } from './mutations.ts';
import { seedFromText } from './random.ts';

const SEED = seedFromText('declared');
/** Of ICMP only what a declaration has: the extensions of some messages. */
const kinds = { 'ip-other': 1, 'ethernet-other': 1, 'icmp-other': 0.15, 'icmpv6-other': 0.15 } as const;
const ONLY = Object.fromEntries(
  ['icmp-echo', 'icmpv6-echo', 'neighbour-discovery', 'tcp', 'udp', 'tcp6', 'udp6', 'arp', 'noise'].map(
    (kind) => [kind, 0],
  ),
);
/** Packets of which everything is looked at; of those behind them, only what is rare. */
const WHOLE_SET = 12_000;
const ALL = 60_000;
const generator = new PacketGenerator({ kinds: { ...ONLY, ...kinds } });

interface Generated {
  readonly packet: Uint8Array;
  readonly mutations: readonly MutationName[];
}

const packets: Generated[] = Array.from({ length: WHOLE_SET }, (_, index) => {
  const { mutations, repeats } = generator.provenance(SEED, index);
  // A repeat may have been changed blindly.
  const all: readonly MutationName[] = repeats === undefined ? mutations : [...mutations, 'mutate'];
  return { packet: generator.single(SEED, index).packet, mutations: all };
});

const base = ({ name }: TreeNode): string => name.split('#')[0]!;

describe('of declared protocols, generated packets', () => {
  it('have each, whole', () => {
    const met = new Set<string>();
    for (const { packet } of packets)
      for (const layer of decodeTree(packet)) if (layer.note === undefined) met.add(base(layer));
    expect(protocols.map(({ name }) => name).filter((name) => !met.has(name))).toEqual([]);
  });

  it('have what declarations name as samples: user packets in GTP-U behind a PDU session container', () => {
    const behind = packets.flatMap(({ packet }) => {
      const layers = decodeTree(packet);
      return layers.flatMap(({ children }, at) =>
        children.some(({ label }) => label.includes('PDU session container'))
          ? layers.slice(at + 1, at + 2).map(base)
          : [],
      );
    });
    expect(new Set(behind)).toEqual(new Set(['ipv4', 'ipv6', 'payload']));
  });

  it('have each kind of checksum right, and wrong where they are mutated so', () => {
    const good = new Set<string>();
    const bad = new Set<string>();
    for (const { packet, mutations } of packets) {
      verifyChecksums(packet, 0, packet.length, {
        checksum: ({ layer, status, got, expected }) => {
          const name = CHECKSUM_LAYERS[layer]!;
          if (status === CHECKSUM.good) good.add(name);
          if (status !== CHECKSUM.bad) return;
          bad.add(name);
          if (mutations.length > 0) return;
          expect.fail(
            `${name} is ${got}, not ${expected}, in ${toHex(packet)}\n${treeToText(decodeTree(packet))}`,
          );
        },
      });
    }
    expect([...good].sort()).toEqual([...CHECKSUM_LAYERS].sort());
    expect([...bad].sort()).toEqual([...CHECKSUM_LAYERS].sort());
  });

  it('have each in wrong forms: cut short, with lengths that lie, of impossible versions, at the ends of fields’ ranges', () => {
    const forms = new Map<string, Map<MutationName, number>>();
    const counts = new Map<string, number>();
    for (const { packet, mutations } of packets) {
      for (const layer of decodeTree(packet)) {
        const name = base(layer);
        const seen = forms.get(name) ?? new Map<MutationName, number>();
        forms.set(name, seen);
        counts.set(name, (counts.get(name) ?? 0) + 1);
        for (const mutation of mutations) seen.set(mutation, (seen.get(mutation) ?? 0) + 1);
      }
    }
    const aimed = new Set<string>();
    for (let index = 0; index < ALL; index++) {
      if (!generator.provenance(SEED, index).mutations.includes('transport')) continue;
      for (const layer of decodeTree(generator.single(SEED, index).packet)) aimed.add(base(layer));
    }
    const wanted: MutationName[] = ['short', 'networkLength', 'version', 'checksum', 'truncate', 'mutate'];
    for (const { name } of protocols) {
      expect(aimed, name).toContain(name);
      // Rare ones meet the rarer mutations in longer runs.
      if (counts.get(name)! < 1000) continue;
      for (const mutation of wanted)
        expect(forms.get(name)!.get(mutation), `${name}, ${mutation}`).toBeGreaterThan(0);
    }
    expect([...counts.values()].filter((count) => count >= 1000).length).toBeGreaterThan(5);
  });

  it('aim at boundary values of every field that is a number', () => {
    for (const { name, declaration } of protocols) {
      const numbers = Object.values(declaration.fields).filter(
        ({ shown, stated, options }) =>
          (shown === 'decimal' || shown === 'hex') && stated && options.computed === undefined,
      );
      expect(form(name).aims, name).toHaveLength(numbers.length);
      for (const { values } of form(name).aims) expect(values).toContain(0);
    }
  });

  it('are what their headers encode to: every header decodes, and encodes back to the same bytes', () => {
    const batch = new PacketBatch(4000);
    new PacketGenerator().fill(batch, SEED, 0, 4000);
    const all = [
      ...packets.map(({ packet }) => packet),
      ...Array.from({ length: 4000 }, (_, at) => batch.stimulus(at).packet),
    ];
    for (const bytes of all) {
      for (const { name, offset, end } of layersOf(bytes, 0, bytes.length)) {
        const protocol = protocolByName(name)!;
        const decoded = protocol.decode(bytes, offset, end);
        if (!decoded.ok) continue;
        let encoded: Uint8Array;
        try {
          encoded = protocol.encode(decoded.value);
        } catch {
          // Options that say that they are longer than the header can count.
          continue;
        }
        const wire = toHex(bytes, offset, decoded.length);
        expect(
          toHex(encoded, 0, Math.min(encoded.length, decoded.length)),
          `${name} in ${toHex(bytes)}`,
        ).toBe(wire.slice(0, encoded.length * 2));
      }
    }
  });
});
