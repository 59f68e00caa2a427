import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import './test-support/arbitraries.ts';
import * as build from './build.ts';
import type { TreeNode } from './dissection.ts';
import { decodeTree, treeToText } from './tree.ts';

const names = (layers: readonly TreeNode[]): string[] => layers.map(({ name }) => name);

function find(layers: readonly TreeNode[], path: string): TreeNode {
  let nodes = layers;
  let node: TreeNode | undefined;
  for (const name of path.split('.')) {
    node = nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`no ${name} of ${path} among ${names(nodes).join(', ')}`);
    nodes = node.children;
  }
  return node!;
}

describe('a decoded tree', () => {
  it('reads like Wireshark', () => {
    const bytes = build.frame(
      build.ethernet(),
      build.vlan({ id: 5 }),
      build.ipv4({ ttl: 7 }),
      build.echoRequest(),
    );
    expect(treeToText(decodeTree(bytes))).toBe(
      `
Ethernet II, 02:00:00:00:00:02 → 02:00:00:00:00:01
    Destination: 02:00:00:00:00:01
    Source: 02:00:00:00:00:02
    Type: 0x8100 (802.1Q VLAN)
802.1Q Virtual LAN, ID 5, priority 0
    000. .... .... .... = Priority: 0
    ...0 .... .... .... = Drop eligible: 0
    .... 0000 0000 0101 = ID: 5
    Type: 0x0800 (IPv4)
Internet Protocol Version 4, 10.11.1.2 → 10.11.1.1
    0100 .... = Version: 4
    .... 0101 = Header Length: 5
    Type of Service: 0x00
    Total Length: 28
    Identification: 0x0001
    0... .... .... .... = Reserved bit: 0
    .0.. .... .... .... = Don't fragment: 0
    ..0. .... .... .... = More fragments: 0
    ...0 0000 0000 0000 = Fragment Offset: 0
    Time to Live: 7
    Protocol: 1 (ICMP)
    Header Checksum: 0x9dc8 [correct]
    Source Address: 10.11.1.2
    Destination Address: 10.11.1.1
Internet Control Message Protocol, Echo
    Type: 8 (Echo)
    Code: 0
    Checksum: 0xf7fd [correct]
    Identifier: 1
    Sequence Number: 1
`.trim(),
    );
  });

  it('names layers, payload and padding, and numbers what occurs again', () => {
    const inner = build.frame(build.ipv4(), build.udp(), Uint8Array.of(1, 2));
    const bytes = build.frame(
      build.ethernet(),
      build.vlan(),
      build.vlan(),
      build.ipv4(),
      inner,
      new Uint8Array(0),
    );
    const padded = new Uint8Array([...build.frame(build.ethernet(), build.ipv4(), build.udp(), inner), 0, 0]);
    const plain = build.frame(build.ethernet(), build.ipv4(), build.udp(), Uint8Array.of(1));
    expect(names(decodeTree(new Uint8Array([...plain, 0])))).toEqual([
      'ethernet',
      'ipv4',
      'udp',
      'payload',
      'padding',
    ]);
    expect(names(decodeTree(bytes))).toEqual(['ethernet', 'vlan', 'vlan#2', 'ipv4', 'payload']);
    // A packet that fills the datagram is one, whatever the port.
    expect(names(decodeTree(padded))).toEqual([
      'ethernet',
      'ipv4',
      'udp',
      'ipv4#2',
      'udp#2',
      'payload',
      'padding',
    ]);
    const error = build.frame(build.ethernet(), build.ipv4(), build.icmp({ type: 11 }), inner);
    expect(names(decodeTree(error))).toEqual(['ethernet', 'ipv4', 'icmp', 'ipv4#2', 'udp', 'payload']);
  });

  it('says what a wrong checksum should be, and which cannot be judged', () => {
    const note = (bytes: Uint8Array, path: string): string | undefined => find(decodeTree(bytes), path).note;
    const right = build.frame(build.ethernet(), build.ipv6(), build.udp(), Uint8Array.of(1));
    const field = find(decodeTree(right), 'udp.checksum');
    expect(field.note).toBe('correct');
    const wrong = build.frame(build.ethernet(), build.ipv6(), build.udp({ checksum: 1 }), Uint8Array.of(1));
    expect(note(wrong, 'udp.checksum')).toBe(`should be ${field.text}`);
    expect(
      note(build.frame(build.ethernet(), build.ipv4(), build.udp({ checksum: 0 })), 'udp.checksum'),
    ).toBe('none');
    const fragment = build.frame(build.ethernet(), build.ipv4({ moreFragments: true }), build.tcp());
    expect(note(fragment, 'tcp.checksum')).toBe('unverifiable: fragment');
    const cut = build.frame(build.ethernet(), build.ipv4(), build.tcp(), new Uint8Array(9)).subarray(0, 60);
    expect(note(cut, 'tcp.checksum')).toBe('unverifiable: cut off');
    const quoted = build.frame(build.ipv4(), build.udp(), new Uint8Array(2));
    const icmpError = build.frame(build.ethernet(), build.ipv4(), build.icmp({ type: 3 }), quoted);
    expect(note(icmpError, 'udp.checksum')).toBe('correct');
  });

  it('keeps what is there of a header that is cut off, and says so', () => {
    const bytes = build.frame(build.ethernet(), build.ipv4(), build.tcp()).subarray(0, 14 + 20 + 6);
    const tcp = find(decodeTree(bytes), 'tcp');
    expect(tcp.note).toBe('tcp at byte 34: needs 20 bytes, 6 are there');
    expect(names(tcp.children)).toEqual(['sourcePort', 'destinationPort']);
  });

  it('follows extension headers and later fragments', () => {
    const later = build.frame(
      build.ethernet(),
      build.ipv6(),
      build.hopopts(),
      build.fragment6({ nextHeader: 6, fragmentOffset: 3, moreFragments: false, identification: 1 }),
      new Uint8Array(30),
    );
    expect(names(decodeTree(later))).toEqual(['ethernet', 'ipv6', 'hopopts', 'fragment6', 'payload']);
  });

  it('covers any bytes without throwing, every byte once, in order', () => {
    const seeds = [
      build.frame(build.ethernet(), build.ipv4(), build.tcp(), new Uint8Array(9)),
      build.frame(
        build.ethernet(),
        build.ipv6(),
        build.hopopts(),
        build.icmpv6({ type: 135, body: { kind: 'neighbourSolicitation', target: '::', options: [] } }),
      ),
      build.frame(build.ethernet(), build.ipv4(), build.icmp({ type: 3 }), build.ipv4(), build.udp()),
      build.frame(build.ethernet(), build.arp(), new Uint8Array(18)),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 6 }),
        fc.nat(110),
        (seed, changes, length) => {
          const whole = seed.slice();
          for (const [at, byte] of changes) whole[at] = byte;
          const bytes = whole.subarray(0, length);
          const tree = decodeTree(bytes);
          let at = 0;
          for (const layer of tree) {
            expect(layer.offset).toBe(at);
            at += layer.length;
          }
          expect(at).toBe(bytes.length);
          expect(treeToText(tree)).not.toContain('undefined');
        },
      ),
      { numRuns: 1000 },
    );
  });
});
