/** What follows a header, where it starts and where it ends: by flags, lengths, optional parts and guesses. */
import { describe, expect, it } from 'vitest';
import { ethernet } from './build.ts';
import { fromHex } from './bytes.ts';
import { decodeTree } from './tree.ts';
import { layersOf, walkLayers } from './walk-layers.ts';

const IP4 = '45000014 00000000 40fd0000 0a000001 0a000002';
const IP6 = `60000000 00003b40 ${'fc00'.repeat(8)} ${'fc01'.repeat(8)}`;
const MACS = '020000000001 020000000002';
const FRAME = `${MACS} 0800 ${IP4}`;

/** Each layer with its place, and what is left behind the last one. */
function walk(first: string, bytes: Uint8Array): string {
  const layers: string[] = [];
  const rest = walkLayers(bytes, 0, bytes.length, first, (protocol, at, end, context) => {
    layers.push(`${protocol.name} ${at}`);
    return protocol.step(bytes, at, end, context);
  });
  if (rest.offset < rest.end) layers.push(`${rest.name} ${rest.offset}-${rest.end}`);
  if (rest.end < bytes.length) layers.push(`ends ${rest.end}`);
  return layers.join(', ');
}

describe('a UDP port', () => {
  const over = (sourcePort: number, destinationPort: number): string => {
    const packet = ethernet()
      .ipv4()
      .udp({ sourcePort, destinationPort })
      .payload(new Uint8Array(30).fill(0x88))
      .bytes();
    return layersOf(packet, 0, packet.length)
      .slice(3)
      .map(({ name }) => name)
      .join(' ');
  };

  it.each([
    [4789, 'vxlan'],
    [8472, 'vxlan'],
    [4790, 'vxlangpe'],
    [6081, 'geneve'],
    [6635, 'mpls'],
    [4754, 'gre'],
    [4341, 'lisp'],
  ])('%i announces a tunnel as the destination only: sources stand for flows', (port, name) => {
    expect(over(40_000, port).split(' ')[0]).toBe(name);
    expect(over(port, 51_820)).toBe('');
  });

  it.each([
    [2152, 'gtpu'],
    [53, 'dns'],
    [3544, 'teredo'],
  ])('%i is where answers come from, too', (port, name) => {
    expect(over(40_000, port)).toBe(name);
    expect(over(port, 51_820)).toBe(name);
  });
});

it('a GTP-U extension of no length leads nowhere, whatever stands elsewhere in the frame', () => {
  const length = '0000';
  const frame = `024500000001 020000000002 0800 45000040 00000000 40110000 0a000001 0a000002 0868 0868 002c ${length}
    34ff 001c 00000001 0000 00 85 00 0000 00 ${IP4}`;
  expect(walk('ethernet', fromHex(frame))).toBe('ethernet 0, ipv4 14, udp 34, gtpu 42, data 54-78');
});

describe('the length of an IPv6 packet (RFC 8200 §3, RFC 2675 §2)', () => {
  const addresses = `${'fc00'.repeat(8)} ${'fc01'.repeat(8)}`;
  /** A hop-by-hop header with a jumbo payload of so many bytes, and no next header. */
  const jumbo = (length: number): string => `3b00 c204 ${length.toString(16).padStart(8, '0')}`;
  it.each<[what: string, hex: string, layers: string]>([
    ['is what the header says', `60000000 0008 3b 40 ${addresses} ${'00'.repeat(8)}`, 'ipv6 0, data 40-48'],
    [
      'leaves padding behind it',
      `60000000 0008 3b 40 ${addresses} ${'00'.repeat(12)}`,
      'ipv6 0, data 40-48, ends 48',
    ],
    ['is nothing', `60000000 0000 3b 40 ${addresses} ${'00'.repeat(8)}`, 'ipv6 0, ends 40'],
    [
      'is that of a jumbo payload',
      `60000000 0000 00 40 ${addresses} ${jumbo(16)} ${'00'.repeat(12)}`,
      'ipv6 0, hopopts 40, data 48-56, ends 56',
    ],
    [
      'is not that of a jumbo payload where the header says one',
      `60000000 0010 00 40 ${addresses} ${jumbo(8)} ${'00'.repeat(8)}`,
      'ipv6 0, hopopts 40, data 48-56',
    ],
    [
      'is no jumbo payload in another header',
      `60000000 0000 3c 40 ${addresses} ${jumbo(16)} ${'00'.repeat(8)}`,
      'ipv6 0, ends 40',
    ],
    [
      'is no jumbo payload where the header is cut off',
      `60000000 0000 00 40 ${addresses} ${jumbo(16).slice(0, -2)}`,
      'ipv6 0, ends 40',
    ],
  ])('%s', (_what, hex, layers) => {
    expect(walk('ipv6', fromHex(hex))).toBe(layers);
  });
});

describe.each<[what: string, first: string, rows: readonly [what: string, hex: string, layers: string][]]>([
  [
    'PPP in L2TPv2 (RFC 2661 §3.1, RFC 1661 §6)',
    'l2tpv2',
    [
      ['a frame', `0002 0001 0002 0021 ${IP4}`, 'l2tpv2 0, ppp 6, ipv4 8'],
      ['address and control, too', `0002 0001 0002 ff03 0021 ${IP4}`, 'l2tpv2 0, ppp 8, ipv4 10'],
      ['a protocol of one byte', `0002 0001 0002 21 ${IP4}`, 'l2tpv2 0, ipv4 7'],
      ['both', `0002 0001 0002 ff03 57 ${IP6}`, 'l2tpv2 0, ipv6 9'],
      ['an address without control', `0002 0001 0002 ff04 ${IP4}`, 'l2tpv2 0, data 7-28'],
      ['nothing but the address', '0002 0001 0002 ff', 'l2tpv2 0'],
      ['nothing behind address and control', '0002 0001 0002 ff03', 'l2tpv2 0'],
      ['nothing', '0002 0001 0002', 'l2tpv2 0'],
      ['a length', `4002 0020 0001 0002 0021 ${IP4} aabb`, 'l2tpv2 0, ppp 8, ipv4 10, ends 30'],
      ['a length that ends in the packet', `4002 001f 0001 0002 0021 ${IP4}`, 'l2tpv2 0, ppp 8, ipv4 10'],
      ['a length of the header alone', `4002 0008 0001 0002 0021 ${IP4}`, 'l2tpv2 0, ends 8'],
      ['a length below the header', `4002 0003 0001 0002 0021 ${IP4}`, 'l2tpv2 0, ends 8'],
      ['an offset', `0202 0001 0002 0003 aabbcc 0021 ${IP4}`, 'l2tpv2 0, ppp 11, ipv4 13'],
      ['an offset of nothing', `0202 0001 0002 0000 0021 ${IP4}`, 'l2tpv2 0, ppp 8, ipv4 10'],
      ['an offset up to the end', '0202 0001 0002 0003 aabbcc', 'l2tpv2 0, data 8-11'],
      ['a control message', `8002 0001 0002 0021 ${IP4}`, 'l2tpv2 0, data 6-28'],
      [
        'sequence numbers and a length',
        `4802 0024 0001 0002 0005 0006 0021 ${IP4}`,
        'l2tpv2 0, ppp 12, ipv4 14',
      ],
    ],
  ],
  [
    'frames in L2TPv3 (RFC 3931 §4.1)',
    'l2tpv3',
    [
      ['no cookie', `00000001 ${FRAME}`, 'l2tpv3 0, ethernet 4, ipv4 18'],
      ['a cookie of 4 bytes', `00000001 aabbccdd ${FRAME}`, 'l2tpv3 0, ethernet 8, ipv4 22'],
      ['a cookie of 8 bytes', `00000001 aabbccddaabbccdd ${FRAME}`, 'l2tpv3 0, ethernet 12, ipv4 26'],
      ['and a sublayer', `00000001 aabbccddaabbccddaabbccdd ${FRAME}`, 'l2tpv3 0, ethernet 16, ipv4 30'],
      ['more than that', `00000001 aabbccddaabbccddaabbccddaabbccdd ${FRAME}`, 'l2tpv3 0, data 4-54'],
      ['half a word', `00000001 aabb ${FRAME}`, 'l2tpv3 0, data 4-40'],
      ['a control message', `00000000 ${FRAME}`, 'l2tpv3 0, data 4-38'],
    ],
  ],
  [
    'frames in L2TPv3 over UDP (RFC 3931 §4.1.2)',
    'l2tpudp',
    [
      ['a frame', `0003 0000 00000001 ${FRAME}`, 'l2tpudp 0, ethernet 8, ipv4 22'],
      ['a control message', `8003 0000 00000001 ${FRAME}`, 'l2tpudp 0, data 8-42'],
      ['no session', `0003 0000 00000000 ${FRAME}`, 'l2tpudp 0, data 8-42'],
    ],
  ],
  [
    'packets in GTP-U (3GPP TS 29.281 §5)',
    'gtpu',
    [
      ['IPv4', `30ff 0014 00000001 ${IP4}`, 'gtpu 0, ipv4 8'],
      ['IPv6', `30ff 0028 00000001 ${IP6}`, 'gtpu 0, ipv6 8'],
      ['a length that ends earlier', `30ff 0014 00000001 ${IP4} aabb`, 'gtpu 0, ipv4 8, ends 28'],
      ['neither', '30ff 0004 00000001 50aabbcc', 'gtpu 0, data 8-12'],
      ['another message', `3001 0014 00000001 ${IP4}`, 'gtpu 0, data 8-28'],
      ['a sequence number', `32ff 0018 00000001 0005 00 85 ${IP4}`, 'gtpu 0, ipv4 12'],
      ['an extension', `34ff 001c 00000001 0000 00 85 01 0000 00 ${IP4}`, 'gtpu 0, ipv4 16'],
      ['no extension after all', `34ff 0018 00000001 0000 00 00 ${IP4}`, 'gtpu 0, ipv4 12'],
      [
        'two extensions',
        `34ff 0024 00000001 0000 00 85 01 0000 c0 02 0000 00000000 00 ${IP4}`,
        'gtpu 0, ipv4 24',
      ],
      ['an extension of no length', `34ff 001c 00000001 0000 00 85 00 0000 00 ${IP4}`, 'gtpu 0, data 12-36'],
      ['an extension that is cut off', '34ff 0008 00000001 0000 00 85 02 0000 00', 'gtpu 0, data 12-16'],
      ['an extension that ends where the bytes do', '34ff 0008 00000001 0000 00 85 01 0000 00', 'gtpu 0'],
      ['an extension that is not there', '34ff 0004 00000001 0000 00 85', 'gtpu 0'],
    ],
  ],
  [
    'packets in LISP (RFC 9300 §5.1)',
    'lisp',
    [
      ['IPv4', `80 010203 00000000 ${IP4}`, 'lisp 0, ipv4 8'],
      ['IPv6', `48 000000 00002a01 ${IP6}`, 'lisp 0, ipv6 8'],
      ['neither', '80 010203 00000000 50aabbcc', 'lisp 0, data 8-12'],
      ['what a number announces', `84 000001 00000000 ${IP4}`, 'lisp 0, data 8-28'],
      ['what is encrypted', `81 010203 00000000 ${IP4}`, 'lisp 0, data 8-28'],
    ],
  ],
  [
    'a tag of HSR (IEC 62439-3 §5)',
    'hsr',
    [
      ['a type', `101a 0007 0800 ${IP4}`, 'hsr 0, ipv4 6'],
      ['a length', `101d 0007 0017 060603 ${IP4}`, 'hsr 0, llc 6, ipv4 9'],
      ['another size, and padding', `1000 0007 0800 ${IP4} 0000`, 'hsr 0, ipv4 6, ends 26'],
    ],
  ],
  [
    'a redundancy tag (IEEE 802.1CB §7.8)',
    'rtag',
    [
      ['a type', `0000 0007 86dd ${IP6}`, 'rtag 0, ipv6 6'],
      ['a length', `0000 0007 0017 060603 ${IP4}`, 'rtag 0, llc 6, ipv4 9'],
      ['another tag', `0000 0007 8100 0005 0800 ${IP4}`, 'rtag 0, vlan 6, ipv4 10'],
    ],
  ],
  [
    'what SNAP announces (RFC 1042, RFC 2684 §5.2)',
    'snap',
    [
      ['an EtherType', `000000 0800 ${IP4}`, 'snap 0, ipv4 5'],
      ['an EtherType of a bridge tunnel', `0000f8 86dd ${IP6}`, 'snap 0, ipv6 5'],
      ['an EtherType of somebody else', `00000c 0800 ${IP4}`, 'snap 0, data 5-25'],
      ['a bridged frame with its check sequence', `0080c2 0001 ${FRAME}`, 'snap 0, ethernet 5, ipv4 19'],
      ['a bridged frame', `0080c2 0007 ${FRAME}`, 'snap 0, ethernet 5, ipv4 19'],
      ['a bridged frame of a token ring', `0080c2 0002 ${FRAME}`, 'snap 0, data 5-39'],
      ['a bridged frame of FDDI', `0080c2 0008 ${FRAME}`, 'snap 0, data 5-39'],
      ['the like of another organization', `0080c3 0007 ${FRAME}`, 'snap 0, data 5-39'],
    ],
  ],
  [
    'frames with a length (IEEE 802.3)',
    'ethernet',
    [
      ['LLC and SNAP', `${MACS} 001c aaaa03 000000 0800 ${IP4}`, 'ethernet 0, llc 14, snap 17, ipv4 22'],
      [
        'padding behind them',
        `${MACS} 001c aaaa03 000000 0800 ${IP4} 0000`,
        'ethernet 0, llc 14, snap 17, ipv4 22, ends 42',
      ],
      ['a control field of two bytes', `${MACS} 0006 424200 01 0000`, 'ethernet 0, llc 14, stp 18'],
      ['a supervisory frame', `${MACS} 0006 424201 01 0000`, 'ethernet 0, llc 14, stp 18'],
      ['spanning tree', `${MACS} 0007 424203 00000000`, 'ethernet 0, llc 14, stp 17'],
      ['IP right behind', `${MACS} 0017 060603 ${IP4}`, 'ethernet 0, llc 14, ipv4 17'],
      ['the longest length', `${MACS} 05dc e0e003`, 'ethernet 0, llc 14'],
      ['one above', `${MACS} 05dd e0e003`, 'ethernet 0, llc 14'],
      ['the last number that is no type', `${MACS} 05ff e0e003`, 'ethernet 0, llc 14'],
      ['the first type', `${MACS} 0600 e0e003`, 'ethernet 0, data 14-17'],
    ],
  ],
  [
    'PPPoE (RFC 2516 §4)',
    'pppoe',
    [
      ['a session', `1100 0001 0016 0021 ${IP4}`, 'pppoe 0, ppp 6, ipv4 8'],
      ['padding', `1100 0001 0016 0021 ${IP4} 0000`, 'pppoe 0, ppp 6, ipv4 8, ends 28'],
      ['discovery', `1109 0000 0004 01010000`, 'pppoe 0, data 6-10'],
    ],
  ],
  [
    'Teredo (RFC 4380 §5.1.1)',
    'teredo',
    [
      ['no indication', IP6, 'teredo 0, ipv6 0'],
      ['an origin', `0000 1234 f5f5f5f5 ${IP6}`, 'teredo 0, ipv6 8'],
      ['an authentication', `0001 00 00 0102030405060708 00 ${IP6}`, 'teredo 0, ipv6 13'],
      [
        'one with an identifier and a value',
        `0001 02 03 aabb ccddee 0102030405060708 00 ${IP6}`,
        'teredo 0, ipv6 18',
      ],
      ['both', `0001 00 00 0102030405060708 00 0000 1234 f5f5f5f5 ${IP6}`, 'teredo 0, ipv6 21'],
      ['another indication', `0002 1234 f5f5f5f5 ${IP6}`, 'teredo 0, data 0-48'],
      ['IPv4', IP4, 'teredo 0, data 0-20'],
    ],
  ],
  [
    'GUE (draft-ietf-intarea-gue §3)',
    'gue',
    [
      ['IPv4', `0004 0000 ${IP4}`, 'gue 0, ipv4 4'],
      ['optional fields', `0129 0000 01020304 ${IP6}`, 'gue 0, ipv6 8'],
      ['a control message', `2004 0000 ${IP4}`, 'gue 0, data 4-24'],
      ['TCP, whose checksum needs addresses', `0006 0000 ${IP4}`, 'gue 0, data 4-24'],
      ['MPLS', `0089 0000 00010140 ${IP4}`, 'gue 0, mpls 4, ipv4 8'],
    ],
  ],
  [
    'MPLS (RFC 3032, RFC 4448)',
    'mpls',
    [
      ['another label', `00010040 00010140 ${IP4}`, 'mpls 0, mpls 4, ipv4 8'],
      ['IPv6', `00010140 ${IP6}`, 'mpls 0, ipv6 4'],
      ['a frame', `00010140 ${FRAME}`, 'mpls 0, ethernet 4, ipv4 18'],
      [
        'a frame behind a control word',
        `00010140 00000007 ${FRAME}`,
        'mpls 0, pwethcw 4, ethernet 8, ipv4 22',
      ],
      [
        'a frame whose address begins like IPv4',
        `00010140 45${FRAME.slice(2)}`,
        'mpls 0, ethernet 4, ipv4 18',
      ],
      ['a control word before anything else', '00010140 00000007 aabbccdd', 'mpls 0, data 4-12'],
      ['a control word of another kind', `00010140 10000007 ${FRAME}`, 'mpls 0, data 4-42'],
      ['nothing', '00010140', 'mpls 0'],
    ],
  ],
  [
    'CAPWAP (RFC 5415 §4.3)',
    'capwap',
    [
      ['a frame', `00 104200 0000 0000 ${FRAME}`, 'capwap 0, ethernet 8, ipv4 22'],
      [
        '802.11',
        `00 104300 0000 0000 0800 0000 ${MACS} 020000000003 0000 aaaa03 000000 0800 ${IP4}`,
        'capwap 0, wlan 8, llc 32, snap 35, ipv4 40',
      ],
      [
        '802.11 with frame control swapped',
        `00 104300 0000 0000 0108 0000 ${MACS} 020000000003 0000 aaaa03 000000 0800 ${IP4}`,
        'capwap 0, wlanswapped 8, llc 32, snap 35, ipv4 40',
      ],
      ['another binding', `00 104500 0000 0000 ${FRAME}`, 'capwap 0, data 8-42'],
      ['another binding, a frame', `00 104400 0000 0000 ${FRAME}`, 'capwap 0, ethernet 8, ipv4 22'],
      ['a fragment', `00 104280 0000 0000 ${FRAME}`, 'capwap 0, data 8-42'],
      ['a keep-alive', `00 104208 0000 0000 ${FRAME}`, 'capwap 0, data 8-42'],
      ['a header of three words', `00 184210 0000 0000 00000000 ${FRAME}`, 'capwap 0, ethernet 12, ipv4 26'],
    ],
  ],
  [
    'ERSPAN III (draft-foschiano-erspan-03 §4.3)',
    'erspan3',
    [
      ['a frame', `2000 0000 00000000 0000 8000 ${FRAME}`, 'erspan3 0, ethernet 12, ipv4 26'],
      ['IPv4', `2000 0000 00000000 0000 8800 ${IP4}`, 'erspan3 0, ipv4 12'],
      ['IPv6', `2000 0000 00000000 0000 8800 ${IP6}`, 'erspan3 0, ipv6 12'],
      ['another kind of frame', `2000 0000 00000000 0000 8400 ${FRAME}`, 'erspan3 0, data 12-46'],
      [
        'a subheader',
        `2000 0000 00000000 0000 8001 0000000000000000 ${FRAME}`,
        'erspan3 0, ethernet 20, ipv4 34',
      ],
    ],
  ],
  [
    'GRE (RFC 2784, draft-foschiano-erspan-03 §4.1)',
    'gre',
    [
      ['ERSPAN I', `0000 88be ${FRAME}`, 'gre 0, ethernet 4, ipv4 18'],
      ['ERSPAN II', `1000 88be 00000001 10000000 00000000 ${FRAME}`, 'gre 0, erspan 8, ethernet 16, ipv4 30'],
      ['a frame', `0000 6558 ${FRAME}`, 'gre 0, ethernet 4, ipv4 18'],
      ['all sections', `b000 0800 abcd0000 00000001 00000002 ${IP4}`, 'gre 0, ipv4 16'],
    ],
  ],
])('%s', (_title, first, rows) => {
  it.each(rows)('%s', (_what, hex, layers) => {
    const bytes = fromHex(hex);
    expect(walk(first, bytes)).toBe(layers);
    // The tree shows the same layers at the same places.
    const shown = decodeTree(bytes, 0, bytes.length, first)
      .filter(({ name }) => !/^(gap|payload|padding)/.test(name))
      .map(({ name, offset }) => `${name.replace(/#.*/, '')} ${offset}`);
    expect(layers.replace(/(, )?(data .*|ends .*)$/, '')).toBe(shown.join(', '));
  });
});
