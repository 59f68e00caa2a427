/** Packets of each kind in tunnels. */
import { describe, expect, it } from 'vitest';
import { ethernet, type LayerStack } from '../../sim/packet/build.ts';
import { decodeTree } from '../../sim/packet/tree.ts';
import { soundPackets } from './sound-cases.ts';
import { tunnelOf } from './tunnel-packets.ts';

const overUdp = (destinationPort: number, payload: number, ip: LayerStack = ethernet().ipv4()): Uint8Array =>
  ip.udp({ destinationPort }).payload(new Uint8Array(payload)).bytes();
const onIp = (protocol: number, payload: number): Uint8Array =>
  ethernet().ipv4({ protocol }).payload(new Uint8Array(payload)).bytes();

/** The layers of each of the packets in a tunnel, of which none says anything false about itself. */
function tried(packet: Uint8Array): string[] {
  return soundPackets({ packet }).map((one) => {
    const layers = decodeTree(one.packet);
    const notes = layers.flatMap((layer) => [layer, ...layer.children]).map((node) => node.note ?? '');
    expect(notes.filter((note) => note.includes('should be') || note.includes('expected'))).toEqual([]);
    return layers.map((layer) => layer.name.replace(/#.*/, '')).join(' ');
  });
}

const PACKETS = ['ipv4 tcp', 'ipv4 udp', 'ipv6 tcp', 'ipv6 udp'];
const FRAMES = PACKETS.map((packet) => `ethernet ${packet}`);

describe('a packet of each kind comes', () => {
  it.each<[what: string, packet: Uint8Array, front: string, inside: readonly string[]]>([
    ['in GTP-U', overUdp(2152, 8), 'ethernet ipv4 udp gtpu', PACKETS],
    ['in LISP', overUdp(4341, 8), 'ethernet ipv4 udp lisp', PACKETS],
    ['in Teredo, over IPv4 only', overUdp(3544, 40), 'ethernet ipv4 udp teredo', PACKETS.slice(2)],
    ['in GUE', overUdp(6080, 4), 'ethernet ipv4 udp gue', PACKETS],
    ['in a frame in VXLAN', overUdp(4789, 8), 'ethernet ipv4 udp vxlan', FRAMES],
    [
      'in Geneve that does not say which',
      overUdp(6081, 8),
      'ethernet ipv4 udp geneve',
      [...PACKETS, ...FRAMES],
    ],
    ['in VXLAN over IPv6', overUdp(4789, 8, ethernet().ipv6()), 'ethernet ipv6 udp vxlan', FRAMES],
    ['in IP', onIp(4, 20), 'ethernet ipv4', PACKETS],
    ['in GRE that names IP', ethernet().ipv6().gre().bytes(), 'ethernet ipv6 gre', PACKETS],
    [
      'in a frame in GRE with a checksum',
      ethernet()
        .ipv4()
        .gre({ checksumPresent: true, protocolType: 0x6558 })
        .payload(new Uint8Array(14))
        .bytes(),
      'ethernet ipv4 gre',
      FRAMES,
    ],
    ['behind labels in UDP', overUdp(6635, 4), 'ethernet ipv4 udp mpls', [...PACKETS, ...FRAMES]],
  ])('%s', (_, packet, front, inside) => {
    const found = new Set(tried(packet).map((layers) => layers.replace(/ payload$/, '')));
    for (const one of inside) expect(found).toContain(`${front} ${one}`);
    const others = [...found]
      .filter((one) => one.startsWith(`${front} `))
      .map((one) => one.slice(front.length + 1));
    expect(others.filter((one) => !inside.includes(one) && one !== 'payload')).toEqual([]);
  });
});

it('what a map is asked with stays', () => {
  const packet = overUdp(2152, 8);
  packet.set([0x12, 0x34, 0x56, 0x78], 46);
  for (const { packet: made } of soundPackets({ packet }).slice(-4)) {
    expect([...made.subarray(46, 50)]).toEqual([0x12, 0x34, 0x56, 0x78]);
    expect(made.length).toBe(50 + made[44]! * 256 + made[45]!);
  }
});

describe('no tunnel', () => {
  it.each<[what: string, packet: Uint8Array]>([
    ['is what an error quotes', ethernet().ipv4().icmp({ type: 3 }).payload(new Uint8Array(40)).bytes()],
    ['is at another port', overUdp(2000, 40)],
    ['is TCP', ethernet().ipv4().tcp().payload(new Uint8Array(40)).bytes()],
    [
      'is a later fragment',
      ethernet().ipv4({ protocol: 4, fragmentOffset: 10 }).payload(new Uint8Array(40)).bytes(),
    ],
    ['is a frame without IP', ethernet({ etherType: 0x88b5 }).payload(new Uint8Array(40)).bytes()],
  ])('%s', (_, packet) => {
    expect(tunnelOf(packet)).toBeUndefined();
  });
});
