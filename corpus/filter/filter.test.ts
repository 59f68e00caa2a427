import { describe, expect, it } from 'vitest';
import { packet } from '../../sim/packet/build.ts';
import { fromHex } from '../../sim/packet/bytes.ts';
import { protocols } from '../../sim/packet/protocols.ts';
import { compileFilter } from './filter.ts';
import { FilterError } from './filter-error.ts';
import { fieldNames, protocolNames } from './names.ts';
import { filterPage } from './test-support/filter-page.ts';

const tcp = packet
  .ethernet({ source: '02:00:00:00:00:07' })
  .vlan({ id: 5 })
  .ipv4({ ttl: 1, source: '10.1.2.3', destination: '10.9.0.1' })
  .tcp({ sourcePort: 40000, destinationPort: 80, flags: 0x12 })
  .payload(new TextEncoder().encode('GET / HTTP/1.1'))
  .bytes();
const udp6 = packet.ethernet().ipv6({ source: 'fe80::1', hopLimit: 9 }).udp({ destinationPort: 53 }).bytes();
const tunnel = packet
  .ethernet()
  .ipv4({ ttl: 64 })
  .udp()
  .vxlan({ vni: 42 })
  .ethernet()
  .ipv4({ ttl: 3, destination: '192.0.2.1' })
  .icmp({ type: 8, body: { kind: 'query', identifier: 7, sequence: 9 } })
  .bytes();
const keyed = packet.ethernet().ipv4().gre({ key: 0xc0ffee, sequence: 3 }).ipv4().bytes();
const marked = packet.ethernet().ipv4({ tos: 0xb9, dontFragment: true }).tcp().bytes();
const marked6 = packet.ethernet().ipv6({ trafficClass: 0x2a }).udp().bytes();
const fragment = packet
  .ethernet()
  .ipv4({ moreFragments: true, fragmentOffset: 185, protocol: 17 })
  .payload(new Uint8Array(8))
  .bytes();
const accurate = packet.ethernet().ipv4().tcp({ flags: 2 }).bytes();
accurate[14 + 20 + 12]! |= 1;

/** A neighbour solicitation, an advertisement or a redirect. */
const neighbour = (type: number): Uint8Array => {
  const message = Uint8Array.of(
    type,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0xfe,
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
  );
  const rest = new Uint8Array(type === 137 ? 16 : 0);
  return packet
    .ethernet()
    .ipv6({ nextHeader: 58 })
    .payload(Uint8Array.of(...message, ...rest))
    .bytes();
};
const unreachable = (code: number): Uint8Array =>
  packet
    .ethernet()
    .ipv4()
    .icmp({ type: 3, code, body: { kind: 'unreachable', unused: 0, quotedLength: 0, nextHopMtu: 1400 } })
    .bytes();
const lite = packet.ethernet().ipv4().udplite({ sourcePort: 7, destinationPort: 9 }).bytes();
const lengthFrame = packet.ethernet({ etherType: 38 }).payload(new Uint8Array(46)).bytes();

describe('a filter', () => {
  it.each<[filter: string, bytes: Uint8Array, matches: boolean]>([
    ['tcp', tcp, true],
    ['tcp', udp6, false],
    ['ip', tcp, true],
    ['ipv4', tcp, true],
    ['ip && !udp', tcp, true],
    ['not ip', udp6, true],
    ['tcp.dport == 80 && ip.ttl < 2', tcp, true],
    ['tcp.dstport eq 80 and ip.ttl lt 2', tcp, true],
    ['tcp.destinationPort == 0x50', tcp, true],
    ['tcp.port == 40000', tcp, true],
    ['udp.port == 53 or tcp.port == 53', udp6, true],
    ['ip.ttl <= 1', tcp, true],
    ['ip.ttl >= 2', tcp, false],
    ['ip.ttl > 0', tcp, true],
    ['ip.src == 10.1.2.3', tcp, true],
    ['ip.src == 10.1.0.0/16', tcp, true],
    ['ip.src == 10.2.0.0/16', tcp, false],
    ['ip.src == 10.0.0.0/7', tcp, true],
    ['ip.src == 0.0.0.0/0', tcp, true],
    ['ip.addr == 10.9.0.1', tcp, true],
    ['ip.src in {10.9.0.0/16, 10.1.2.3}', tcp, true],
    ['ipv6.src == fe80::/10', udp6, true],
    ['ipv6.dst == fe80::/10', udp6, false],
    ['ip.src < ip.dst', tcp, true],
    ['tcp.srcport == tcp.dstport', tcp, false],
    ['eth.src == 02:00:00:00:00:07', tcp, true],
    ['eth.src[0:3] == 02:00:00', tcp, true],
    ['eth.src[5] == 07', tcp, true],
    ['eth.src[5] == 08', tcp, false],
    ['eth.src[4:3] == 00:07:00', tcp, false],
    ['eth.src[4-5] == 00:07', tcp, true],
    ['eth.src[4:] == 00:07', tcp, true],
    ['eth.src[4:] == 00', tcp, false],
    ['eth.src[:2] == 02:00', tcp, true],
    ['eth.src[-1] == 7', tcp, true],
    ['eth.src[-2:1] == 0', tcp, true],
    ['eth.src[-7:1] == 0', tcp, false],
    ['eth.src[-1:2] == 07:00', tcp, false],
    ['frame[-3:] == "1.1"', tcp, true],
    ['tcp[13] == 12', tcp, true],
    ['tcp[2:2] == 0x0050', tcp, true],
    ['ip[12:4] == 0a:01:02:03', tcp, true],
    // The header alone, and all that it carries.
    ['tcp[20:3] == "GET"', tcp, false],
    ['tcp contains "GET"', tcp, true],
    ['vlan contains "GET"', tcp, true],
    ['udp contains "GET"', tcp, false],
    ['ip[9] == 1', tunnel, true],
    ['ip[9] == 11', tunnel, true],
    ['tcp[0]', tunnel, false],
    ['ip.ttl == 0b1', tcp, true],
    ['ip.ttl == 0100', tunnel, true],
    ['tcp.dport in {22, 80..90}', tcp, true],
    ['tcp.dport in {22 443}', tcp, false],
    ['tcp.flags & 0x02', tcp, true],
    ['tcp.flags & 0x01', tcp, false],
    ['tcp.flags & 0x12 == 0x12', tcp, true],
    ['(tcp.flags & 0x12) == 0x02', tcp, false],
    ['tcp.flags.syn == 1 && tcp.flags.fin == 0', tcp, true],
    ['tcp.flags.syn == true', tcp, true],
    ['vlan.id == 5', tcp, true],
    ['vlan.id == 6', udp6, false],
    ['frame contains "GET /"', tcp, true],
    ['frame contains 47:45:54', tcp, true],
    ['frame contains "POST"', tcp, false],
    ['frame[12:2] == 81:00', tcp, true],
    ['frame.len > 60', tcp, true],
    ['ip.ttl == 3', tunnel, true],
    ['ip.ttl == 64', tunnel, true],
    // `!=` holds where none is equal, as in Wireshark.
    ['ip.ttl != 3', tunnel, false],
    ['ip.ttl != 9', tunnel, true],
    ['ip.ttl != 9', udp6, false],
    ['!(ip.ttl == 9)', udp6, true],
    ['vxlan.vni == 42 && icmp.type == 8', tunnel, true],
    ['icmp.seq == 9', tunnel, true],
    ['icmp.ident == 7', tunnel, true],
    ['icmp.mtu', tunnel, false],
    ['icmp.mtu == 1400', unreachable(4), true],
    ['icmp.mtu', unreachable(3), false],
    ['icmp.nextHopMtu == 1400', unreachable(3), true],
    ['icmp.mtu', packet.ethernet().ipv4().icmp({ type: 11, code: 0 }).bytes(), false],
    ['icmpv6.nd.ns.target_address == fe80::1', neighbour(135), true],
    ['icmpv6.nd.na.target_address == fe80::1', neighbour(135), false],
    ['icmpv6.nd.ns.target_address', neighbour(136), false],
    ['icmpv6.nd.na.target_address == fe80::/10', neighbour(136), true],
    ['icmpv6.nd.rd.target_address == fe80::1', neighbour(137), true],
    ['icmpv6.target == fe80::1', neighbour(136), true],
    ['udp.port == 9', lite, true],
    ['udp.srcport == 7 && udplite.port == 7', lite, true],
    ['udp.port == 8 || udp', lite, false],
    ['eth.type == 0x8100 && vlan.etype == 0x800', tcp, true],
    ['eth.len || vlan.len', tcp, false],
    ['eth.len == 38 && !eth.type && ethernet.etherType == 38', lengthFrame, true],
    ['ospf', packet.ethernet().ipv6().ospf3().bytes(), true],
    ['ospf', packet.ethernet().ipv4().ospf().bytes(), true],
    ['ospf3', packet.ethernet().ipv4().ospf().bytes(), false],
    ['vxlan', packet.ethernet().ipv4().udp({ destinationPort: 4790 }).vxlangpe().ipv4().bytes(), true],
    ['erspan', packet.ethernet().ipv4().gre({ sequence: 1 }).erspan3().ethernet().bytes(), true],
    ['gre.key == 0xc0ffee', keyed, true],
    ['gre.sequence_number == 3', keyed, true],
    ['gre.key', packet.ethernet().ipv4().gre().ipv4().bytes(), false],
    ['ip.ttl < 2 && (tcp || udp) && !icmp', tcp, true],
    // What Wireshark makes of fields: part of one, several together, another unit, what a message carries.
    ['ip.hdr_len == 20 && tcp.hdr_len == 20', tcp, true],
    ['ip.hdr_len == 5', tcp, false],
    ['ip.ihl == 5', tcp, true],
    ['ip.dsfield.dscp == 46 && ip.dsfield.ecn == 1', marked, true],
    ['ip.dsfield.dscp == 46', tcp, false],
    ['ipv6.tclass.dscp == 10 && ipv6.tclass.ecn == 2', marked6, true],
    ['ip.flags == 2 && ip.frag_offset == 0', marked, true],
    ['ip.flags == 1 && ip.frag_offset == 185 && ip.frag_off == 0x20b9', fragment, true],
    ['ip.frag_offset == 1480', fragment, false],
    ['tcp.len == 14', tcp, true],
    ['tcp.len == 0', tcp, false],
    ['tcp.len', udp6, false],
    ['tcp.payload[0:3] == "GET"', tcp, true],
    ['tcp.payload contains "HTTP" && frame contains "HTTP"', tcp, true],
    ['tcp.payload', packet.ethernet().ipv4().tcp().bytes(), false],
    ['udp.payload contains 2a:00', tunnel, true],
    ['tcp.flags == 0x012 && tcp.flags.res == 0', tcp, true],
    ['tcp.flags.ae == 1 && tcp.flags == 0x102', accurate, true],
    ['eth.dst.ig == 1 && eth.src.ig == 0', udp6, false],
    ['eth.ig == 1', packet.ethernet({ destination: '33:33:00:00:00:01' }).bytes(), true],
    ['eth.src.lg == 1', tcp, true],
    ['gre.flags_and_version == 0x3000', keyed, true],
    ['icmp.length', tcp, false],
  ])('%s', (filter, bytes, matches) => {
    expect(compileFilter(filter).matches(bytes)).toBe(matches);
    // The same within an arena.
    const arena = new Uint8Array(bytes.length + 7).fill(0xff);
    arena.set(bytes, 3);
    expect(compileFilter(filter).matches(arena, 3, 3 + bytes.length)).toBe(matches);
  });

  it('takes a field that is cut off for absent', () => {
    const cut = tcp.subarray(0, 14 + 4 + 20 + 3);
    expect(compileFilter('tcp.srcport == 40000').matches(cut)).toBe(true);
    expect(compileFilter('tcp.dstport').matches(cut)).toBe(false);
    expect(compileFilter('ip.dst == 10.9.0.1').matches(tcp.subarray(0, 34))).toBe(false);
  });

  it('knows the length of a TCP segment of which only the begin was captured', () => {
    const filter = compileFilter('tcp.len == 14');
    expect(filter.matches(tcp.subarray(0, 14 + 4 + 20 + 20))).toBe(true);
    expect(filter.matches(tcp.subarray(0, 14 + 4 + 20 + 10))).toBe(false);
  });

  it('begins where the packet does', () => {
    const ip = packet.ipv4().udp().bytes();
    expect(compileFilter('udp').matches(ip, 0, ip.length, 'ipv4')).toBe(true);
    expect(compileFilter('udp').matches(ip)).toBe(false);
  });

  it('takes any bytes', () => {
    const filter = compileFilter(
      'icmp.ident == 1 || gre.key == 1 || tcp.port == 1 || ipv6.addr == ::1 || frame contains 00',
    );
    for (let length = 0; length < tunnel.length; length++) filter.matches(tunnel.subarray(0, length));
    expect(filter.matches(fromHex('ff'))).toBe(false);
  });
});

describe('a filter that is none is refused', () => {
  const problem = (text: string): string => {
    try {
      compileFilter(text);
    } catch (error) {
      expect(error).toBeInstanceOf(FilterError);
      const { message, excerpt } = error as FilterError;
      return `${message}\n${excerpt}`;
    }
    return 'accepted';
  };

  it.each([
    ['tcp.dprt == 80', 'column 1: there is no field or protocol “tcp.dprt”; did you mean tcp.dport?'],
    ['tcp && ip.tll < 2', 'column 8: there is no field or protocol “ip.tll”; did you mean ip.ttl?'],
    ['ip.dscp == 46', 'column 1: there is no field or protocol “ip.dscp”; did you mean ip.dsfield.dscp?'],
    [
      'ip.frag_ofset',
      'column 1: there is no field or protocol “ip.frag_ofset”; did you mean ip.frag_offset?',
    ],
    ['ip.hdrlen == 20', 'column 1: there is no field or protocol “ip.hdrlen”; did you mean ip.hdr_len?'],
    ['ip.dsfield.dscp == 64', 'column 20: ip.dsfield.dscp has 6 bits: at most 63'],
    [
      'tcp.payload == 123',
      'column 16: expected bytes such as de:ad:be:ef or text in quotation marks, not “123”',
    ],
    ['ip.ttl < 300', 'column 10: ip.ttl has 8 bits: at most 255'],
    ['ip.src == 10.0.0', 'column 11: expected an IPv4 address such as 10.0.0.1, not “10.0.0”'],
    ['ip.src == fe80::1', 'column 11: expected an IPv4 address such as 10.0.0.1, not an IPv6 address'],
    ['ip.src == 10.0.0.0/33', 'column 11: a prefix has 0 to 32 bits, not “33”'],
    ['ip.src < 10.0.0.0/8', 'column 10: a network can only be compared with == and !='],
    ['eth.src == 1', 'column 12: expected a MAC address such as 02:00:00:00:00:01, not “1”'],
    ['ip.ttl == x', 'column 11: expected a number, not “x”'],
    ['ip.ttl = 1', 'column 8: a comparison is written =='],
    ['tcp == 80', 'column 1: “tcp” is a protocol, not a field: it is there or not, and has no value'],
    ['(tcp && udp) == 80', 'column 14: only a field can be compared'],
    ['10.0.0.1', 'column 1: a comparison starts with a field: write it as field == 10.0.0.1'],
    ['tcp &&', 'column 7: the filter ends where a name was expected'],
    ['ip.ttl ==', 'column 10: the filter ends where a value was expected'],
    ['(tcp', 'column 5: ) is missing here'],
    ['tcp)', 'column 4: this ) closes nothing'],
    ['tcp udp', 'column 5: expected && or || before “udp”'],
    ['', 'column 1: the filter ends where a name was expected'],
    ['ip.ttl in {}', 'column 12: the set is empty'],
    ['ip.ttl in {5..2}', 'column 15: 2 comes before 5'],
    ['ip.src in {1..2}', 'column 12: ranges are of numbers; ip.src is an IPv4 address'],
    ['ip.ttl in 5', 'column 11: { is missing behind in: in {80, 443, 8000..8080}'],
    ['ip.ttl contains 5', 'column 1: contains needs bytes; ip.ttl is a number'],
    ['ip.src & 5', 'column 8: & needs a number; ip.src is an IPv4 address'],
    ['ip.ttl[0] == 1', 'column 7: ip.ttl is a number: use & to look at some of its bits'],
    ['eth.src[0:3] == 02', 'column 17: 1 bytes, 3 are compared'],
    ['eth.src[x] == 02', 'column 9: expected [start:length], [first-last] or [byte]'],
    ['eth.src[3-2] == 02', 'column 9: expected [start:length], [first-last] or [byte]'],
    ['eth.src[:] == 02', 'column 9: expected [start:length], [first-last] or [byte]'],
    ['tcp[0:0] == 02', 'column 5: expected [start:length], [first-last] or [byte]'],
    ['tcp == 02', 'column 1: “tcp” is a protocol, not a field: it is there or not, and has no value'],
    ['ip.ttl == 09', 'column 11: expected a number, not “09”'],
    [
      'frame contains xyz',
      'column 16: expected bytes such as de:ad:be:ef or text in quotation marks, not “xyz”',
    ],
    ['frame contains "abc', 'column 16: the closing " is missing'],
    ['ip.src == eth.src', 'column 11: ip.src is an IPv4 address, eth.src is a MAC address'],
    ['tcp $ udp', 'column 5: “$” has no meaning here'],
    ['!'.repeat(200), 'column 101: more than 100 parentheses and negations one inside the other'],
  ])('%s', (text, expected) => {
    expect(problem(text).split('\n')[0]).toBe(`filter, ${expected}`);
  });

  it('with the place marked under the text', () => {
    expect(problem('tcp && ip.tll < 2').split('\n').slice(1)).toEqual([
      '  tcp && ip.tll < 2',
      '         ^~~~~~',
    ]);
  });

  it('with the names that a protocol has, where none is near', () => {
    expect(problem('arp.wibble')).toContain('“arp.wibble”; arp has: ');
  });
});

describe('the names', () => {
  it('are what the declarations say: docs/filters.md (write it anew with -u)', async () => {
    await expect(filterPage()).toMatchFileSnapshot('../../docs/filters.md');
  });

  it('reach every field of every protocol that is not reserved', () => {
    const reached = new Set(
      [...fieldNames().values()].flatMap(({ targets }) =>
        targets.map(({ protocol, name }) => `${protocol} ${name}`),
      ),
    );
    for (const { name, declaration } of protocols) {
      expect(protocolNames().get(name)).toContain(name);
      for (const [field, { isReserved }] of Object.entries(declaration.fields))
        if (!isReserved) expect(reached, `${name}.${field}`).toContain(`${name} ${field}`);
    }
  });

  it('have one type each', () => {
    for (const [name, { targets }] of fieldNames()) {
      const shown = new Set(
        targets.map((target) => {
          if ('composed' in target) return target.composed.number === undefined ? 'bytes' : 'decimal';
          return target.field.shown === 'hex' ? 'decimal' : target.field.shown;
        }),
      );
      expect([...shown], name).toHaveLength(1);
    }
  });
});
