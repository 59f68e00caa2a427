/** Encapsulations and the protocols beside TCP and UDP: a header from the wire of each, and the suite that all pass. */
import { describe, expect, it } from 'vitest';
import { DNS, QUIC } from './application.ts';
import { frame, packet } from './build.ts';
import { fromHex, readU16, readU32le } from './bytes.ts';
import { CAPWAP } from './capwap.ts';
import { crc32c, sctpChecksum } from './crc32c.ts';
import { DCCP } from './dccp.ts';
import { GENEVE } from './geneve.ts';
import { GRE } from './gre.ts';
import { GTPU } from './gtpu.ts';
import { GUE } from './gue.ts';
import { IGMP } from './igmp.ts';
import { L2TPV3, L2TPV3_UDP } from './l2tp.ts';
import { L2TPV2 } from './l2tpv2.ts';
import { LISP } from './lisp.ts';
import { LLC, SNAP, STP } from './llc.ts';
import { LLDP } from './lldp.ts';
import { MPLS } from './mpls.ts';
import { PPP, PPPOE } from './pppoe.ts';
import { PW_CONTROL_WORD } from './pseudowire.ts';
import { HSR, RTAG } from './redundancy-tags.ts';
import { OSPF, OSPF3, PIM, VRRP } from './routing-protocols.ts';
import { SCTP } from './sctp.ts';
import { TEREDO } from './teredo.ts';
import { describeProtocol } from './test-support/protocol-suite.ts';
import { decodeTree } from './tree.ts';
import { ERSPAN, ERSPAN_III, ESP, ETHERIP, FABRIC_PATH, ITAG, NSH } from './tunnels.ts';
import { UDP_LITE } from './udp-lite.ts';
import { VXLAN, VXLAN_GPE } from './vxlan.ts';
import { WLAN, WLAN_SWAPPED } from './wlan.ts';

const bare = { checksumPresent: false, keyPresent: false, sequencePresent: false, reserved: 0 };

describeProtocol(
  GRE,
  { wire: '0000 0800', value: { ...bare, protocolType: 0x0800 } },
  {
    wire: 'b000 6558 abcd 0000 00c0ffee 00000007',
    value: {
      checksumPresent: true,
      keyPresent: true,
      sequencePresent: true,
      reserved: 0,
      protocolType: 0x6558,
      checksum: 0xabcd,
      reserved1: 0,
      key: 0x00c0ffee,
      sequence: 7,
    },
  },
  // NVGRE: the key is a subnet and a flow (RFC 7637 §3.2).
  { wire: '2000 6558 00123401', value: { ...bare, keyPresent: true, protocolType: 0x6558, key: 0x00123401 } },
);
describeProtocol(VXLAN, {
  wire: '08 000000 00002a 00',
  value: { reservedFlags: 0, vniPresent: true, reservedFlags2: 0, reserved: 0, vni: 42, reserved2: 0 },
});
describeProtocol(GENEVE, {
  wire: '02 40 6558 00002a 00 0102 80 01 deadbeef',
  value: {
    control: false,
    critical: true,
    reserved: 0,
    protocolType: 0x6558,
    vni: 42,
    reserved2: 0,
    options: [{ class: 0x0102, type: 0x80, reserved: 0, data: fromHex('deadbeef') }],
  },
});
describeProtocol(VXLAN_GPE, {
  wire: '0c 0000 01 00002a 00',
  value: {
    reservedFlags: 0,
    vniPresent: true,
    nextPresent: true,
    ingressReplicated: false,
    oam: false,
    reserved: 0,
    next: 1,
    vni: 42,
    reserved2: 0,
  },
});
describeProtocol(LISP, {
  wire: 'c8 a1b2c3 00002a 01',
  value: {
    noncePresent: true,
    locatorStatusPresent: true,
    echoNonce: false,
    versionPresent: false,
    instancePresent: true,
    nextPresent: false,
    key: 0,
    nonce: 0xa1b2c3,
    instance: 42,
    locatorStatus: 1,
  },
});
describeProtocol(HSR, {
  wire: '1034 0007 0800',
  value: { path: 1, size: 52, sequence: 7, etherType: 0x0800 },
});
describeProtocol(RTAG, { wire: '0000 0007 86dd', value: { reserved: 0, sequence: 7, etherType: 0x86dd } });
describeProtocol(GUE, {
  wire: '01 2f 0000 01020304',
  value: { control: false, protocol: 47, flags: 0, optional: fromHex('01020304') },
});
describeProtocol(
  TEREDO,
  { wire: '', value: { indications: new Uint8Array(0) } },
  { wire: '0000 1234 f5f5f5f5', value: { indications: fromHex('00001234f5f5f5f5') } },
  {
    wire: '0001 00 00 0102030405060708 00 0000 1234 f5f5f5f5',
    value: { indications: fromHex('000100000102030405060708 00 00001234f5f5f5f5') },
  },
);
describeProtocol(L2TPV3, { wire: '0000002a', value: { session: 42 } });
describeProtocol(L2TPV3_UDP, {
  wire: '0003 0000 0000002a',
  value: { control: false, reserved: 0, reserved2: 0, session: 42 },
});
describeProtocol(CAPWAP, {
  wire: '00 204210 0000 0000 06020000000001 00',
  value: {
    radio: 1,
    binding: 1,
    native: false,
    fragment: false,
    lastFragment: false,
    wireless: false,
    radioAddress: true,
    keepAlive: false,
    reservedFlags: 0,
    fragmentId: 0,
    fragmentOffset: 0,
    reserved: 0,
    optional: fromHex('0602000000000100'),
  },
});
describeProtocol(
  L2TPV2,
  {
    wire: '0002 000a 000b',
    value: {
      control: false,
      lengthPresent: false,
      reserved: 0,
      sequencePresent: false,
      reserved2: 0,
      offsetPresent: false,
      priority: false,
      reserved3: 0,
      tunnel: 10,
      session: 11,
    },
  },
  {
    wire: '4b02 000e 000a 000b 0001 0002 0000',
    value: {
      control: false,
      lengthPresent: true,
      reserved: 0,
      sequencePresent: true,
      reserved2: 0,
      offsetPresent: true,
      priority: true,
      reserved3: 0,
      length: 14,
      tunnel: 10,
      session: 11,
      sent: 1,
      expected: 2,
      offsetSize: 0,
    },
  },
);
describeProtocol(PW_CONTROL_WORD, { wire: '0000 0007', value: { reserved: 0, sequence: 7 } });

const addresses = '020000000001 020000000002 020000000003';
const wireless = {
  qos: false,
  noData: false,
  subtype: 0,
  order: false,
  protected: false,
  moreData: false,
  powerManagement: false,
  retry: false,
  moreFragments: false,
  fromDs: false,
  toDs: true,
  duration: 0x2c00,
  receiver: '02:00:00:00:00:01',
  transmitter: '02:00:00:00:00:02',
  address3: '02:00:00:00:00:03',
  sequenceLow: 1,
  fragment: 0,
  sequenceHigh: 0,
};
const allThere = {
  ...wireless,
  qos: true,
  order: true,
  fromDs: true,
  address4: '02:00:00:00:00:04',
  aMsdu: false,
  acknowledgement: 0,
  endOfService: false,
  trafficId: 6,
  transmission: 0,
  htControl: 0x01020304,
};
describeProtocol(
  WLAN,
  { wire: `0801 2c00 ${addresses} 1000`, value: wireless },
  { wire: `8883 2c00 ${addresses} 1000 020000000004 0600 01020304`, value: allThere },
);
describeProtocol(WLAN_SWAPPED, { wire: `0108 2c00 ${addresses} 1000`, value: wireless });
describeProtocol(FABRIC_PATH, { wire: '0060', value: { tree: 1, ttl: 32 } });
describeProtocol(
  LLC,
  {
    wire: 'aa aa 03',
    value: { destinationSap: 0xaa, sourceSap: 0xaa, control: 3, sequence: new Uint8Array(0) },
  },
  {
    wire: 'f0 f0 01 05',
    value: { destinationSap: 0xf0, sourceSap: 0xf0, control: 1, sequence: Uint8Array.of(5) },
  },
);
describeProtocol(SNAP, { wire: '000000 0800', value: { organization: 0, type: 0x0800 } });
describeProtocol(STP, {
  wire: '0000 02 02 7c',
  value: { protocolId: 0, version: 2, type: 2, rest: Uint8Array.of(0x7c) },
});
describeProtocol(LLDP, {
  wire: '0207 04 020000000001 0604 05 657468 0602 0078 0000',
  value: {
    elements: [
      { type: 1, data: fromHex('04020000000001') },
      { type: 3, data: fromHex('05657468') },
      { type: 3, data: fromHex('0078') },
      { type: 0, data: new Uint8Array(0) },
    ],
  },
});
describeProtocol(DNS, {
  wire: '1234 8180 0001 0001 0000 0000 00 0001 0001',
  value: {
    id: 0x1234,
    response: true,
    opcode: 0,
    authoritative: false,
    truncated: false,
    recursionDesired: true,
    recursionAvailable: true,
    reserved: 0,
    authenticated: false,
    checkingDisabled: false,
    responseCode: 0,
    questions: 1,
    answers: 1,
    authorities: 0,
    additional: 0,
    records: fromHex('0000010001'),
  },
});
describeProtocol(QUIC, {
  wire: 'c3 00000001 08',
  value: { longHeader: true, type: 0, typeSpecific: 3, rest: fromHex('0000000108') },
});
describeProtocol(OSPF3, {
  wire: '03 01 0010 01010101 00000000 abcd 00 00',
  value: {
    type: 1,
    length: 16,
    router: '1.1.1.1',
    area: '0.0.0.0',
    checksum: 0xabcd,
    instance: 0,
    reserved: 0,
  },
});
describeProtocol(MPLS, {
  wire: '00064b40',
  value: { label: 100, trafficClass: 5, bottom: true, ttl: 64 },
});
describeProtocol(PPPOE, { wire: '11 00 0001 0006', value: { code: 0, sessionId: 1, length: 6 } });
describeProtocol(PPP, { wire: '0021', value: { protocol: 0x21 } });
describeProtocol(SCTP, {
  wire: '9c40 0009 00000001 12345678 00 03 0011 00000001 00000000 00000000 61 000000',
  value: {
    sourcePort: 40000,
    destinationPort: 9,
    verificationTag: 1,
    checksum: 0x12345678,
    chunks: [{ type: 0, flags: 3, data: fromHex('000000010000000000000000 61'), padding: fromHex('000000') }],
  },
});
describeProtocol(UDP_LITE, {
  wire: '9c40 0009 0008 abcd',
  value: { sourcePort: 40000, destinationPort: 9, coverage: 8, checksum: 0xabcd },
});
describeProtocol(DCCP, {
  wire: '9c40 0009 05 12 abcd 05 00 000000000102 00000000',
  value: {
    sourcePort: 40000,
    destinationPort: 9,
    ccval: 1,
    coverage: 2,
    checksum: 0xabcd,
    reserved: 0,
    type: 2,
    extended: true,
    reserved2: 0,
    sequence: fromHex('000000000102'),
    rest: fromHex('00000000'),
  },
});
describeProtocol(
  IGMP,
  {
    wire: '16 00 0a0b e0000009',
    value: { type: 0x16, maximumResponse: 0, checksum: 0x0a0b, body: { kind: 'group', group: '224.0.0.9' } },
  },
  {
    wire: '11 64 0a0b e0000009 0a7d 0002 0a000001 0a000002',
    value: {
      type: 0x11,
      maximumResponse: 100,
      checksum: 0x0a0b,
      body: {
        kind: 'query',
        group: '224.0.0.9',
        querier: {
          flags: 0x0a,
          interval: 125,
          count: 2,
          sources: ['10.0.0.1', '10.0.0.2'],
          rest: new Uint8Array(0),
        },
      },
    },
  },
  {
    wire: '22 00 0a0b 0000 0001 04000000 e0000009',
    value: {
      type: 0x22,
      maximumResponse: 0,
      checksum: 0x0a0b,
      body: {
        kind: 'report3',
        reserved: 0,
        records: 1,
        groups: [{ type: 4, group: '224.0.0.9', sources: [], auxiliary: new Uint8Array(0) }],
      },
    },
  },
);
describeProtocol(PIM, { wire: '20 00 abcd', value: { type: 0, reserved: 0, checksum: 0xabcd } });
describeProtocol(VRRP, {
  wire: '31 05 64 01 0064 abcd 0a0b0101',
  value: {
    version: 3,
    type: 1,
    virtualRouter: 5,
    priority: 100,
    addresses: 1,
    reserved: 0,
    interval: 100,
    checksum: 0xabcd,
    list: fromHex('0a0b0101'),
  },
});
describeProtocol(OSPF, {
  wire: '02 01 0018 01010101 00000000 abcd 0000 0000000000000000',
  value: {
    type: 1,
    length: 24,
    router: '1.1.1.1',
    area: '0.0.0.0',
    checksum: 0xabcd,
    authentication: 0,
    authenticationData: new Uint8Array(8),
  },
});
describeProtocol(ESP, { wire: '00000100 00000001', value: { spi: 0x100, sequence: 1 } });
describeProtocol(ETHERIP, { wire: '3000', value: { reserved: 0 } });
describeProtocol(
  GTPU,
  {
    wire: '30 ff 0004 0000002a',
    value: {
      reserved: 0,
      extensionPresent: false,
      sequencePresent: false,
      npduPresent: false,
      messageType: 255,
      length: 4,
      teid: 42,
      extensions: new Uint8Array(0),
    },
  },
  {
    wire: '32 ff 0008 0000002a 0007 00 00',
    value: {
      reserved: 0,
      extensionPresent: false,
      sequencePresent: true,
      npduPresent: false,
      messageType: 255,
      length: 8,
      teid: 42,
      sequence: 7,
      npdu: 0,
      nextExtension: 0,
      extensions: new Uint8Array(0),
    },
  },
  {
    wire: '34 ff 0008 0000002a 0000 00 85 01 1009 00',
    value: {
      reserved: 0,
      extensionPresent: true,
      sequencePresent: false,
      npduPresent: false,
      messageType: 255,
      length: 8,
      teid: 42,
      sequence: 0,
      npdu: 0,
      nextExtension: 0x85,
      extensions: fromHex('01100900'),
    },
  },
);
describeProtocol(ERSPAN, {
  wire: '1005 0801 000 00003',
  value: { vlan: 5, cos: 0, encapsulation: 1, truncated: false, session: 1, reserved: 0, index: 3 },
});
describeProtocol(ERSPAN_III, {
  wire: '2005 0001 00000009 0000 8000',
  value: {
    vlan: 5,
    cos: 0,
    badShort: 0,
    truncated: false,
    session: 1,
    timestamp: 9,
    securityGroup: 0,
    isFrame: true,
    frameType: 0,
    hardware: 0,
    egress: false,
    granularity: 0,
    subheaderPresent: false,
  },
});
describeProtocol(NSH, {
  wire: '0fc2 02 01 00002a ff',
  value: {
    oam: false,
    unassigned: 0,
    ttl: 63,
    unassigned2: 0,
    metadataType: 2,
    next: 1,
    path: 42,
    index: 255,
    context: new Uint8Array(0),
  },
});
describeProtocol(ITAG, {
  wire: '40 00002a 020000000001 020000000002 0800',
  value: {
    priority: 2,
    dropEligible: false,
    useCustomerAddresses: false,
    reserved: 0,
    service: 42,
    destination: '02:00:00:00:00:01',
    source: '02:00:00:00:00:02',
    etherType: 0x0800,
  },
});

describe('layers of a tunnel', () => {
  const names = (bytes: Uint8Array): string[] => decodeTree(bytes).map(({ name }) => name);

  it.each<[name: string, bytes: Uint8Array, layers: string[]]>([
    ['GRE', packet.ethernet().ipv4().gre().ipv4().tcp().bytes(), ['gre', 'ipv4#2', 'tcp']],
    [
      'GRE of Ethernet',
      packet.ethernet().ipv6().gre({ key: 1 }).ethernet().ipv6().tcp().bytes(),
      ['gre', 'ethernet#2', 'ipv6#2', 'tcp'],
    ],
    [
      'VXLAN',
      packet.ethernet().ipv4().udp({ destinationPort: 4789 }).vxlan().ethernet().ipv4().udp().bytes(),
      ['udp', 'vxlan', 'ethernet#2', 'ipv4#2', 'udp#2'],
    ],
    [
      'GENEVE',
      packet.ethernet().ipv4().udp({ destinationPort: 6081 }).geneve().ethernet().ipv4().bytes(),
      ['udp', 'geneve', 'ethernet#2', 'ipv4#2'],
    ],
    [
      'MPLS',
      packet.ethernet().mpls({ bottom: false }).mpls().ipv4().udp().bytes(),
      ['mpls', 'mpls#2', 'ipv4', 'udp'],
    ],
    ['PPPoE', packet.ethernet().pppoe().ppp().ipv4().udp().bytes(), ['pppoe', 'ppp', 'ipv4', 'udp']],
    [
      'GTP-U',
      packet.ethernet().ipv4().udp({ destinationPort: 2152 }).gtpu().ipv4().udp().bytes(),
      ['udp', 'gtpu', 'ipv4#2', 'udp#2'],
    ],
    [
      'EtherIP',
      packet.ethernet().ipv4().etherip().ethernet().ipv4().bytes(),
      ['etherip', 'ethernet#2', 'ipv4#2'],
    ],
    [
      'ERSPAN II',
      packet.ethernet().ipv4().gre({ sequence: 1 }).erspan().ethernet().ipv4().bytes(),
      ['gre', 'erspan', 'ethernet#2', 'ipv4#2'],
    ],
    ['NSH', packet.ethernet().nsh().ipv4().udp().bytes(), ['nsh', 'ipv4', 'udp']],
    [
      'VXLAN-GPE',
      packet.ethernet().ipv4().udp().vxlangpe().ipv6().udp().bytes(),
      ['udp', 'vxlangpe', 'ipv6', 'udp#2'],
    ],
    ['GUE', packet.ethernet().ipv4().udp().gue().gre().ipv4().bytes(), ['udp', 'gue', 'gre', 'ipv4#2']],
    ['Teredo', packet.ethernet().ipv4().udp().teredo().ipv6().bytes(), ['udp', 'teredo', 'ipv6']],
    [
      'L2TPv3 with a cookie',
      packet.ethernet().ipv4().l2tpv3().payload(new Uint8Array(4)).ethernet().ipv4().bytes(),
      ['l2tpv3', 'gap', 'ethernet#2', 'ipv4#2'],
    ],
    [
      'CAPWAP',
      packet.ethernet().ipv4().udp().capwap().ethernet().ipv4().bytes(),
      ['udp', 'capwap', 'ethernet#2', 'ipv4#2'],
    ],
    [
      'CAPWAP of 802.11',
      packet.ethernet().ipv4().udp().capwap().wlan().llc().snap().ipv4().udp().bytes(),
      ['udp', 'capwap', 'wlan', 'llc', 'snap', 'ipv4#2', 'udp#2'],
    ],
    [
      'CAPWAP of 802.11 with QoS and four addresses, as Cisco sends it',
      packet
        .ethernet()
        .ipv6()
        .udp()
        .capwap()
        .wlanswapped({ qos: true, toDs: true, fromDs: true })
        .llc()
        .snap()
        .ipv6()
        .tcp()
        .bytes(),
      ['udp', 'capwap', 'wlanswapped', 'llc', 'snap', 'ipv6#2', 'tcp'],
    ],
    [
      'L2TPv2',
      packet.ethernet().ipv4().udp().l2tpv2().ppp().ipv4().udp().bytes(),
      ['udp', 'l2tpv2', 'ppp', 'ipv4#2', 'udp#2'],
    ],
    [
      'L2TPv2 with length, sequence numbers, and address and control of HDLC',
      frame(
        packet.ethernet().ipv4().udp().l2tpv2({ lengthPresent: true, sent: 1 }),
        Uint8Array.of(0xff, 0x03),
        packet.ppp().ipv6().tcp(),
      ),
      ['udp', 'l2tpv2', 'gap', 'ppp', 'ipv6', 'tcp'],
    ],
    [
      'L2TPv2 with a compressed protocol',
      packet.ethernet().ipv4().udp().l2tpv2().payload(Uint8Array.of(0x21)).ipv4().udp().bytes(),
      ['udp', 'l2tpv2', 'gap', 'ipv4#2', 'udp#2'],
    ],
    [
      'L2TPv2 with an offset',
      frame(
        packet.ethernet().ipv4().udp().l2tpv2({ offsetSize: 3 }),
        new Uint8Array(3),
        packet.ppp().ipv4().udp(),
      ),
      ['udp', 'l2tpv2', 'gap', 'ppp', 'ipv4#2', 'udp#2'],
    ],
    [
      'Ethernet over MPLS',
      packet.ethernet().mpls().mpls().ethernet().ipv4().udp().bytes(),
      ['mpls', 'mpls#2', 'ethernet#2', 'ipv4', 'udp'],
    ],
    [
      'Ethernet over MPLS to an address that begins like IP',
      packet.ethernet().mpls().ethernet({ destination: '45:00:00:54:00:01' }).vlan().ipv6().tcp().bytes(),
      ['mpls', 'ethernet#2', 'vlan', 'ipv6', 'tcp'],
    ],
    [
      'Ethernet over MPLS with a control word',
      packet.ethernet().mpls().pwethcw({ sequence: 7 }).ethernet().ipv4().udp().bytes(),
      ['mpls', 'pwethcw', 'ethernet#2', 'ipv4', 'udp'],
    ],
    [
      'GRE in UDP',
      packet.ethernet().ipv6().udp({ destinationPort: 4754 }).gre({ key: 5 }).ethernet().ipv4().udp().bytes(),
      ['udp', 'gre', 'ethernet#2', 'ipv4', 'udp#2'],
    ],
    ['SNAP', packet.ethernet().llc().snap().ipv4().udp().bytes(), ['llc', 'snap', 'ipv4', 'udp']],
    [
      'FabricPath',
      packet.ethernet().fabricpath().ethernet().ipv4().bytes(),
      ['fabricpath', 'ethernet#2', 'ipv4'],
    ],
    ['NVGRE', packet.ethernet().ipv4().nvgre().ethernet().ipv4().bytes(), ['gre', 'ethernet#2', 'ipv4#2']],
    ['IP right behind UDP', packet.ethernet().ipv4().udp().ipv4().tcp().bytes(), ['udp', 'ipv4#2', 'tcp']],
    ['802.1ah', packet.ethernet().itag().ipv4().udp().bytes(), ['itag', 'ipv4', 'udp']],
  ])('%s are followed', (_name, bytes, layers) => {
    const found = names(bytes);
    expect(found.slice(found.length - layers.length)).toEqual(layers);
    // All that a builder fills in is right: no node says what it should be.
    expect(JSON.stringify(decodeTree(bytes))).not.toContain('should be');
    expect(JSON.stringify(decodeTree(bytes))).not.toContain('only');
  });
});

describe('checksums of other algorithms', () => {
  it('have the CRC32c of RFC 3720 appendix B.4', () => {
    expect(crc32c(new Uint8Array(32), 0, 32)).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff), 0, 32)).toBe(0x62a8ab43);
    expect(
      crc32c(
        Uint8Array.from({ length: 32 }, (_, index) => index),
        0,
        32,
      ),
    ).toBe(0x46dd794e);
  });

  it('fill in SCTP’s, its lowest byte first', () => {
    const bytes = packet
      .sctp({ chunks: [{ type: 11, flags: 0, data: new Uint8Array(0), padding: new Uint8Array(0) }] })
      .bytes();
    expect(readU32le(bytes, 8)).toBe(sctpChecksum(bytes, 0, bytes.length));
    expect(JSON.stringify(SCTP.dissect(bytes, 0, bytes.length, {}))).toContain('correct');
  });

  it('leave out the packet that a PIM register carries (RFC 7761 §4.9)', () => {
    const register = packet.pim({ type: 1 }).payload(new Uint8Array(4));
    const bytes = register.ipv4().bytes();
    const other = register.ipv4({ ttl: 1 }).bytes();
    expect(readU16(bytes, 2)).toBe(readU16(other, 2));
    expect(JSON.stringify(decodeTree(bytes, 0, bytes.length, 'pim'))).toContain('correct');
  });

  it('name the flag of the field that is cut off', () => {
    expect(GRE.decode(fromHex('2000 6558 0012'))).toMatchObject({
      ok: false,
      error: { field: 'keyPresent', needed: 8, available: 6 },
    });
  });

  it('cover as much of UDP-Lite as it says, with the whole length in the pseudo-header (RFC 3828 §3.2)', () => {
    const given = { coverage: 8, sourcePort: 1, destinationPort: 2 };
    const short = packet
      .ipv4()
      .udplite(given)
      .payload(Uint8Array.of(1, 2, 3, 4))
      .bytes();
    const other = packet
      .ipv4()
      .udplite(given)
      .payload(Uint8Array.of(9, 9, 9, 9))
      .bytes();
    expect(readU16(short, 26)).toBe(readU16(other, 26));
    expect(JSON.stringify(decodeTree(short, 0, short.length, 'ipv4'))).not.toContain('should be');
  });
});

describe('extension headers of GTP-U', () => {
  const tree = (extensions: string, nextExtension = 0x85): string[] => {
    const given = { extensionPresent: true, nextExtension, extensions: fromHex(extensions) };
    const layers = decodeTree(packet.ethernet().ipv4().udp().gtpu(given).ipv4().udp().bytes());
    const at = layers.findIndex(({ name }) => name === 'gtpu');
    const shown = layers[at]!.children.filter(({ name }) => name.startsWith('extension'));
    return [...shown.slice(1).map(({ label, text }) => `${label}: ${text}`), layers[at + 1]!.name];
  };

  it('are shown one by one, and the packet behind them is read', () => {
    expect(tree('01000900')).toEqual([
      'Extension header: PDU session container: downlink, QoS flow 9',
      'ipv4#2',
    ]);
    expect(tree('01000785 01103f00', 0xc0)).toEqual([
      'Extension header: PDCP PDU number: 4 bytes: 01000785',
      'Extension header: PDU session container: uplink, QoS flow 63',
      'ipv4#2',
    ]);
    expect(tree('01aabb00', 0x77)).toEqual(['Extension header: type 0x77: 4 bytes: 01aabb00', 'ipv4#2']);
  });

  it('are none where the first one has no length', () => {
    expect(tree('00000900')).toEqual(['payload']);
  });

  it('are announced by their own flag where that is stated, and by a sequence number’s otherwise', () => {
    const flags = (given: object): unknown => {
      const { extensionPresent, sequencePresent } = GTPU.complete(given);
      return [extensionPresent, sequencePresent];
    };
    expect(flags({ extensionPresent: true, nextExtension: 0x85 })).toEqual([true, false]);
    expect(flags({ sequence: 7 })).toEqual([false, true]);
  });
});
