/**
 * Numbers of 16 bits that programs compare, of which it is known what they stand for: EtherTypes and ports, and those of ARP, PPP, DNS
 * and of scanners. Where a packet holds one with its two bytes swapped, a program may have forgotten the byte order.
 */
import { arpOperationName } from '../../sim/packet/arp.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import { ETHERTYPE, ETHERTYPE_MIN, etherTypeName, IPPROTO } from '../../sim/packet/numbers.ts';
import { pppProtocolName } from '../../sim/packet/pppoe.ts';
import { layersOf } from '../../sim/packet/walk-layers.ts';
import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import type { Severity } from '../severity.ts';
import { transportOf } from './variants.ts';

/** Ports that programs are written for (IANA "Service Name and Transport Protocol Port Number Registry"), over either transport. */
const SERVICES: ReadonlyMap<number, string> = new Map([
  [53, 'DNS'],
  [80, 'HTTP'],
  [123, 'NTP'],
  [161, 'SNMP'],
  [389, 'LDAP'],
  [443, 'HTTPS'],
  [514, 'syslog'],
  [853, 'DNS over TLS'],
  [1194, 'OpenVPN'],
  [2049, 'NFS'],
  [3389, 'RDP'],
  [3478, 'STUN'],
  [5060, 'SIP'],
  [8080, 'HTTP'],
  [8443, 'HTTPS'],
  [9090, 'Prometheus'],
  [11211, 'memcached'],
]);
/** Nobody looks for SSH in UDP: 5632 there is pcAnywhere, and no 22 in the wrong order. */
const OF_TCP: ReadonlyMap<number, string> = new Map([
  ...SERVICES,
  [20, 'FTP data'],
  [21, 'FTP'],
  [22, 'SSH'],
  [23, 'Telnet'],
  [25, 'SMTP'],
  [110, 'POP3'],
  [143, 'IMAP'],
  [179, 'BGP'],
  [445, 'SMB'],
  [587, 'SMTP'],
  [993, 'IMAP'],
  [995, 'POP3'],
  [3306, 'MySQL'],
  [5432, 'PostgreSQL'],
  [6379, 'Redis'],
]);
const OF_UDP: ReadonlyMap<number, string> = new Map([
  ...SERVICES,
  [67, 'DHCP'],
  [68, 'DHCP'],
  [69, 'TFTP'],
  [500, 'IKE'],
  [546, 'DHCPv6'],
  [547, 'DHCPv6'],
  [1812, 'RADIUS'],
  [1900, 'SSDP'],
  [4500, 'IPsec'],
  [4789, 'VXLAN'],
  [5353, 'mDNS'],
  [6081, 'Geneve'],
  [51820, 'WireGuard'],
]);

/** What a program takes for no EtherType that it knows: for experiments, and never assigned. */
const OTHER_TYPES = [0x88b5, 0x88b6, 0x9999, 0x7777, 0x6003, 0x8137, 0xabcd, 0xb00b, 0x0a07, 0x1234];
/** Lengths of IEEE 802.3: what takes them all alike does not look for one number. */
const OTHER_LENGTHS = [0x0009, 0x0007, 0x0010, 0x0030, 0x0100, 0x0180, 0x0308, 0x0400, 0x0500, 0x05dc];
/** Ports without a service. */
const OTHER_PORTS = [9, 1009, 4242, 10_007, 20_011, 25_013, 30_011, 40_009, 50_021, 60_013];

/** Scanners that write one number into the identification of all their packets. */
const SCANNERS: ReadonlyMap<number, string> = new Map([[54_321, 'ZMap']]);
/** And those that know one window of TCP. */
const SCANNERS_WINDOWS: ReadonlyMap<number, string> = new Map([[1024, 'Nmap, masscan']]);

/** Numbers all over. */
const OTHER_NUMBERS = [7, 13, 99, 300, 777, 1009, 4242, 10_007, 0x1234, 0x7777, 0xabcd, 50_021];
/** Protocols of PPP: their first byte is even and their second one odd (RFC 1661 §2). */
const OTHER_PROTOCOLS = [0x0063, 0x00d1, 0x0045, 0x8063, 0xc0d1, 0x4045, 0x2177, 0x6a0b];

/** A kind of number that programs compare. */
export interface NumberMeaning {
  readonly invariant: string;
  readonly what: string;
  /** What a number stands for; undefined: nobody is known to look for it. */
  nameOf(value: number): string | undefined;
  /** Numbers that no program looks for. */
  others(value: number): readonly number[];
  /** The lowest of them. */
  readonly least: number;
  write(value: number): string;
  /** Where it is not the rule's. */
  readonly severity?: Severity;
}

const hex = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** EtherTypes, whatever header holds them. */
function typesOf(what: string, nameOf: (value: number) => string | undefined): NumberMeaning {
  return {
    invariant: 'ethertype/compared',
    what,
    nameOf,
    others: (value) => (value < ETHERTYPE_MIN ? [...OTHER_LENGTHS, ...OTHER_TYPES] : OTHER_TYPES),
    least: ETHERTYPE_MIN,
    write: hex,
  };
}

const TYPES = typesOf('EtherType', etherTypeName);
const GRE_TYPES = typesOf('GRE protocol type', etherTypeName);
const GENEVE_TYPES = typesOf('Geneve protocol type', etherTypeName);
const ARP_TYPES = typesOf('ARP protocol type', (value) =>
  value === ETHERTYPE.IPV4 ? etherTypeName(value) : undefined,
);

const portsOf = (services: ReadonlyMap<number, string>): NumberMeaning => ({
  invariant: 'port/compared',
  what: 'port',
  nameOf: (value) => services.get(value),
  others: () => OTHER_PORTS,
  least: 1,
  write: String,
});
const TCP_PORTS = portsOf(OF_TCP);
const UDP_PORTS = portsOf(OF_UDP);
const PORTS: ReadonlyMap<number, NumberMeaning> = new Map([
  [IPPROTO.TCP, TCP_PORTS],
  [IPPROTO.UDP, UDP_PORTS],
]);

export function isPort(meaning: NumberMeaning): boolean {
  return meaning === TCP_PORTS || meaning === UDP_PORTS;
}

function numbersOf(what: string, nameOf: (value: number) => string | undefined): NumberMeaning {
  return {
    invariant: 'number/compared',
    what,
    nameOf,
    others: () => OTHER_NUMBERS,
    least: 1,
    write: String,
  };
}

const HARDWARE = numbersOf('ARP hardware type', (value) => (value === 1 ? 'Ethernet' : undefined));
const OPERATIONS = numbersOf('ARP operation', arpOperationName);
const QUESTIONS = numbersOf('number of questions', (value) => (value === 1 ? 'one question' : undefined));
const PPP_PROTOCOLS: NumberMeaning = {
  ...numbersOf('PPP protocol', pppProtocolName),
  others: () => OTHER_PROTOCOLS,
  write: hex,
};
/** Somebody may mean these as they are. */
const IDENTIFICATIONS: NumberMeaning = {
  ...numbersOf('identification', (value) => SCANNERS.get(value)),
  severity: 'warning',
};
const WINDOWS: NumberMeaning = {
  ...numbersOf('TCP window', (value) => SCANNERS_WINDOWS.get(value)),
  severity: 'warning',
};

/** Where they lie in headers of each kind, those of Ethernet apart. */
const FIELDS: Readonly<Record<string, readonly (readonly [at: number, meaning: NumberMeaning])[]>> = {
  arp: [
    [0, HARDWARE],
    [2, ARP_TYPES],
    [6, OPERATIONS],
  ],
  ipv4: [[4, IDENTIFICATIONS]],
  tcp: [
    [0, TCP_PORTS],
    [2, TCP_PORTS],
    [14, WINDOWS],
  ],
  udp: [
    [0, UDP_PORTS],
    [2, UDP_PORTS],
  ],
  gre: [[2, GRE_TYPES]],
  geneve: [[2, GENEVE_TYPES]],
  // Whatever length PPPoE states: a packet that was solved for has what the program asks for, no more.
  pppoe: [[6, PPP_PROTOCOLS]],
  dns: [[4, QUESTIONS]],
};

/** A number in a packet that is a known one in the other byte order. */
export interface SwappedPlace {
  readonly meaning: NumberMeaning;
  readonly at: number;
  readonly value: number;
}

/** Those of all headers that a frame leads to. */
export function* swappedPlaces(frame: Uint8Array): Generator<SwappedPlace, void, void> {
  const first = lastTypeAt(frame, 0, frame.length - 2);
  if (first + 2 > frame.length) return;
  yield* swappedAt(frame, first, TYPES);
  if (etherTypeName(read16(frame, first)) === undefined) return;
  // Ports of the outermost header also where others say that it cannot be.
  const transport = transportOf(frame);
  const ports = transport && PORTS.get(transport.protocol);
  if (transport !== undefined && ports !== undefined)
    for (const at of [transport.at, transport.at + 2]) yield* swappedAt(frame, at, ports);
  for (const { name, offset } of layersOf(frame, 0, frame.length)) {
    if (name === 'ethernet' && offset > 0) {
      const type = offset + lastTypeAt(frame, offset, frame.length - offset - 2);
      if (type + 2 <= frame.length) yield* swappedAt(frame, type, TYPES);
    }
    for (const [at, meaning] of FIELDS[name] ?? []) {
      const isKnown = isPort(meaning) && offset === transport?.at;
      if (!isKnown && offset + at + 2 <= frame.length) yield* swappedAt(frame, offset + at, meaning);
    }
  }
}

function* swappedAt(
  frame: Uint8Array,
  at: number,
  meaning: NumberMeaning,
): Generator<SwappedPlace, void, void> {
  const value = read16(frame, at);
  if (meaning.nameOf(value) === undefined && meaning.nameOf(swapped(value)) !== undefined)
    yield { meaning, at, value };
}
