/**
 * Values at which programs go wrong: on either side of a comparison, where a carry runs through, where a byte
 * order shows, or where an RFC has an exception. Each pool also holds close neighbours of such values.
 *
 * Numbers stand in typed arrays, all of one type: drawing from them is the generator's most frequent act.
 */

/**
 * Checksums before or after an update: where an end-around carry is due, where a second fold is, and the two
 * zeros of one's complement. 0xfeff and 0xff00 become 0x0000 and 0x0001 when a TTL is decremented; 0xf7ff is that
 * of an echo request without any other content.
 */
export const CHECKSUMS: Uint16Array = Uint16Array.from([
  0x0000, 0xffff, 0x0001, 0xfffe, 0x00ff, 0xff00, 0x0100, 0xfeff, 0xfffd, 0xfdff, 0x7fff, 0x8000, 0x0080,
  0xff7f, 0xf7ff, 0xf800, 0x0800, 0x07ff, 0x0008, 0xfff7, 0xfff8, 0xff08, 0xf8ff, 0x0081, 0xfe00, 0x00fe,
  0x8100, 0x7eff,
]);

/** By how much a checksum may be wrong; `onesComplementSum(right, δ)`. */
export const CHECKSUM_ERRORS: Uint16Array = Uint16Array.from([
  0x0001, 0xfffe, 0x0100, 0xfeff, 0x0800, 0xf7ff, 0x0008, 0x8000, 0x00ff, 0xff00, 0x1000, 0x0400,
]);

/** Lengths of payloads: none, below and above a header's size, around words, the sizes of ping, odd ones. */
export const PAYLOAD_LENGTHS: Uint16Array = Uint16Array.from([
  0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16, 17, 18, 19, 20, 24, 26, 31, 32, 33, 40, 48, 55, 56, 57, 63, 64,
  65,
]);

/** Lengths of long payloads: around an Ethernet's MTU, and where sums of words come near 2^24 in a byte order. */
export const LONG_PAYLOAD_LENGTHS: Uint16Array = Uint16Array.from([
  127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1460, 1471, 1472, 1473, 1480, 1500, 2047, 2048,
  3000,
]);

/** TTLs and hop limits: to be dropped, the last to be forwarded, common ones, the largest. */
export const LIFETIMES: Uint16Array = Uint16Array.from([0, 1, 2, 3, 63, 64, 127, 128, 129, 254, 255]);

/** 20480 and 36895 are 80 and 8080 in the wrong byte order. */
export const PORTS: Uint16Array = Uint16Array.from([
  0, 1, 7, 9, 20, 22, 53, 67, 79, 80, 81, 123, 255, 256, 443, 546, 1023, 1024, 4789, 5353, 8080, 20480, 32767,
  32768, 36895, 49152, 65534, 65535,
]);

/** Hosts that packets ordinarily travel between: the lab's networks first. */
export const ORDINARY_IPV4: readonly string[] = [
  '10.11.1.1',
  '10.11.1.2',
  '10.11.2.1',
  '10.11.2.2',
  '192.168.1.10',
  '172.16.0.5',
  '198.51.100.7',
  '8.8.8.8',
];

export const SPECIAL_IPV4: readonly string[] = [
  '0.0.0.0',
  '0.0.0.1',
  '255.255.255.255',
  '255.255.255.254',
  '223.255.255.255',
  '224.0.0.0',
  '224.0.0.1',
  '224.0.0.251',
  '239.255.255.255',
  '240.0.0.0',
  '127.0.0.1',
  '128.0.0.1',
  '169.254.1.1',
  '10.11.1.255',
  '1.0.0.224',
  '100.64.0.1',
];

export const ORDINARY_IPV6: readonly string[] = [
  'fc00:dead:cafe:1::1',
  'fc00:dead:cafe:1::2',
  'fc00:dead:cafe:2::1',
  'fc00:dead:cafe:2::2',
  '2001:db8::1',
  '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
  'fe80::1',
  'fe80::a00:27ff:fe4e:66a1',
];

export const SPECIAL_IPV6: readonly string[] = [
  '::',
  '::1',
  '::2',
  'ff00::',
  'ff01::1',
  'ff02::1',
  'ff02::2',
  'ff02::1:ff00:1',
  'ff05::2',
  'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
  'fec0::1',
  '::ffff:10.11.1.1',
  '::10.11.1.1',
  '64:ff9b::a0b:101',
  '2002:a0b:101::1',
];

/** Unicast addresses, locally administered and of a vendor. */
export const ORDINARY_MACS: readonly string[] = [
  '02:00:00:00:00:01',
  '02:00:00:00:00:02',
  '06:11:22:33:44:55',
  '00:1b:21:3c:9d:f8',
  'fe:ff:ff:ff:ff:ff',
  '0a:0b:0c:0d:0e:0f',
];

/** Broadcast, multicast, zero; and ones that differ from these in one bit or in the byte order. */
export const SPECIAL_MACS: readonly string[] = [
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:00:00:01',
  '33:33:00:00:00:01',
  '01:80:c2:00:00:0e',
  '03:00:00:00:00:00',
  '01:00:00:00:00:00',
  '00:00:00:00:00:00',
  '00:01:00:00:00:00',
  'fe:ff:ff:ff:ff:ff',
  '00:00:00:00:00:01',
];

/** IPv4 protocols. 58 means ICMPv6, which has no meaning here; 0 is hop-by-hop there. */
export const IPV4_PROTOCOLS: Uint16Array = Uint16Array.from([
  0, 1, 2, 4, 6, 17, 33, 41, 44, 46, 47, 50, 51, 58, 59, 60, 89, 97, 103, 112, 115, 132, 136, 137, 139, 254,
  255,
]);

/** IPv6 next headers, extension headers among them. 1 means ICMP, which has no meaning here. */
export const IPV6_NEXT_HEADERS: Uint16Array = Uint16Array.from([
  0, 1, 2, 4, 6, 17, 33, 41, 43, 44, 47, 50, 51, 58, 59, 60, 89, 97, 103, 112, 115, 132, 135, 136, 137, 139,
  140, 254, 255,
]);

/** Also 802.3 lengths around their border with EtherTypes (1500, 1536), and types in the wrong byte order. */
export const ETHERTYPES: Uint16Array = Uint16Array.from([
  0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x9200, 0x0008, 0xdd86, 0x0608, 0x0000, 0x002e, 0x05dc,
  0x05ff, 0x0600, 0x0842, 0x22f0, 0x6558, 0x8035, 0x8137, 0x8847, 0x8848, 0x8863, 0x8864, 0x888e, 0x88cc,
  0x88e5, 0x88e7, 0x88be, 0x894f, 0x8903, 0x22eb, 0x88f7, 0x0801, 0x07ff, 0x86dc, 0x86de, 0x8101, 0xffff,
]);

/** 0x9100 and 0x9200 are old tag types that the kernel does not know. */
export const TAG_TYPES: Uint16Array = Uint16Array.from([
  0x8100, 0x8100, 0x8100, 0x88a8, 0x88a8, 0x88a8, 0x8100, 0x9100, 0x8100, 0x8100, 0x8100, 0x88a8, 0x88a8,
  0x88a8, 0x8100, 0x9200,
]);

/** Priority, DEI and VLAN id: untagged priority 0, ids 1 and 2 (the lab's), the largest, the reserved 4095. */
export const TAG_CONTROLS: Uint16Array = Uint16Array.from([
  0x0000, 0x0001, 0x0002, 0x0064, 0x0fff, 0x0ffe, 0x1000, 0x2001, 0xe001, 0xffff, 0x0800, 0x8100,
]);

/** Echo and its answer, errors, and the numbers that mean echo in ICMPv6. */
export const ICMP_TYPES: Uint16Array = Uint16Array.from([
  0, 1, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 17, 42, 128, 129, 255,
]);

/** Errors, echo, multicast listeners, neighbour discovery and its neighbours, and the numbers of ICMPv4's echo. */
export const ICMPV6_TYPES: Uint16Array = Uint16Array.from([
  0, 1, 2, 3, 4, 8, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 143, 160, 255,
]);

export const ICMP_CODES: Uint16Array = Uint16Array.from([0, 1, 2, 3, 4, 8, 13, 15, 127, 128, 255]);

/** SYN, SYN-ACK, ACK, PSH-ACK, FIN-ACK, RST; none at all, all at once, and those with ECN. */
export const TCP_FLAGS: Uint16Array = Uint16Array.from([
  0x02, 0x12, 0x10, 0x18, 0x11, 0x04, 0x14, 0x00, 0xff, 0x3f, 0x03, 0x29, 0x42, 0xc2, 0x20,
]);

/** Header lengths in words: impossible ones, none, and more than is there. */
export const TCP_DATA_OFFSETS: Uint16Array = Uint16Array.from([0, 1, 4, 5, 6, 8, 14, 15]);

/** Version in the high half, ihl in the low one. */
export const IPV4_VERSION_IHL: Uint16Array = Uint16Array.from([
  0x40, 0x41, 0x42, 0x43, 0x44, 0x46, 0x47, 0x4f, 0x05, 0x35, 0x55, 0x65, 0x60, 0x00, 0xf5, 0xff,
]);

/** The high half of an IPv6 header's first byte. */
export const IPV6_VERSIONS: Uint16Array = Uint16Array.from([0, 4, 5, 7, 8, 15, 2, 14]);

/** What lone bytes are set to. */
export const BYTES: Uint16Array = Uint16Array.from([
  0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x08, 0x10, 0x40, 0x45, 0x60, 0x06,
]);
