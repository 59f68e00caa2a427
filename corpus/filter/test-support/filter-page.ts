/** Builds `docs/filters.md`: how filters are written, and every name, from the declarations. */
import { protocols } from '../../../sim/packet/protocols.ts';
import { bitsOf, type FieldName, fieldNames, type Kind, protocolNames } from '../names.ts';

const TYPES: Readonly<Record<Kind, string>> = {
  number: 'number',
  mac: 'MAC',
  ipv4: 'IPv4',
  ipv6: 'IPv6',
  bytes: 'bytes',
};

const HEAD = `# Filters

\`--filter\` of \`corpus show\`, \`checksum\` and \`run\` takes an expression in Wireshark's language; packets that do not match
are left out.

\`\`\`
xdpsim corpus show capture.pcapng --filter 'tcp.dport == 80 && ip.ttl < 2'
xdpsim checksum capture.pcapng --filter 'udp && ip.src == 10.0.0.0/8'
xdpsim run router capture.pcapng --filter 'ip.ttl in {1, 2} || ipv6.hlim <= 1'
\`\`\`

| written | holds where |
| --- | --- |
| \`tcp\`, \`vxlan\` | the packet has such a header, on any level |
| \`gre.key\` | the field is there |
| \`ip.ttl == 1\`, \`!=\`, \`<\`, \`<=\`, \`>\`, \`>=\` | one occurrence of the field compares so; \`!=\`: the field is there, and no occurrence is equal |
| \`ip.src == 10.0.0.0/8\`, \`ipv6.dst == fe80::/10\` | the address lies in the network |
| \`tcp.srcport == tcp.dstport\` | two fields of one type compare so |
| \`tcp.dport in {22, 80, 8000..8080}\` | the field is one of these, or within the range |
| \`tcp.flags & 0x02\` | one of these bits is set; \`tcp.flags & 0x12 == 0x02\`: the bits under the mask |
| \`tcp.flags.syn == 1\` | the bit is set (\`tcp.flags.syn\` alone: there is a TCP header) |
| \`eth.src[0:3] == 00:1b:21\`, \`frame[12:2] == 81:00\` | bytes from a start on, so many; also \`[2-3]\`, \`[4:]\`, \`[:4]\` and \`[5]\`, one byte; \`[-4:2]\` counts from the end |
| \`tcp[13] == 02\`, \`ip[12:4] == 0a:00:00:01\` | bytes of the header, in hexadecimal |
| \`frame contains "GET"\`, \`udp contains de:ad\` | the bytes occur, of a protocol in its header or in what it carries |
| \`frame.len > 1514\` | the packet has so many bytes |
| \`a && b\`, \`a \\|\\| b\`, \`!a\`, \`( )\` | also \`and\`, \`or\`, \`not\`; \`eq\`, \`ne\`, \`lt\`, \`le\`, \`gt\`, \`ge\` |

Numbers are decimal, hexadecimal (\`0x50\`), binary (\`0b101\`), or octal, with a 0 in front (\`017\`). \`ip.addr\`, \`ipv6.addr\`, \`eth.addr\`, \`tcp.port\`, \`udp.port\` stand for either end.
Headers inside tunnels and in the packets that ICMP errors quote count, too. A field that is cut off is not there. A filter
that is wrong is refused (exit code 2) with the column, what was expected, and the name that you may have meant.

Units are Wireshark's: \`ip.hdr_len\` and \`tcp.hdr_len\` count bytes (\`ip.ihl\` and \`tcp.dataOffset\` the words of the wire),
\`ip.frag_offset\` units of 8 bytes; \`tcp.len\` is what the IP header leaves for data, captured or not. What Wireshark
finds out from other packets has no name here, nor have \`frame.number\`, \`frame.cap_len\` (\`frame.len\` is what was captured), \`frame.protocols\`, and what
is inside options (\`ip.opt.*\`, \`tcp.options.*\`); \`matches\`, functions, and slices of several parts are not understood. \`eth.type\` is there
in frames that have one, \`eth.len\` in those with a length; \`tcp.seq\` and \`tcp.ack\` are the numbers on the wire (Wireshark: \`tcp.seq_raw\`), and \`ip.dst\` is the header's, in front of
a source route, too (Wireshark: \`ip.cur_rt\`; its \`ip.dst\` is the route's last address).

## Names

Each protocol is reached by its names; its fields by Wireshark's name, where Wireshark has one, and by the protocol's with
Scapy's or xdpsim's name behind it. Behind them stand Wireshark's names of what is made of fields.
`;

/** All names; those that are made of fields behind the fields. */
function declaredFirst(): [string, FieldName][] {
  const isComposed = ({ targets }: FieldName): number => ('composed' in targets[0]! ? 1 : 0);
  return [...fieldNames()].sort(([, a], [, b]) => isComposed(a) - isComposed(b));
}

export function filterPage(): string {
  const sections = protocols.map(({ name, label, declaration }) => {
    const names = [...protocolNames()]
      .filter(([, all]) => all.includes(name))
      .map(([prefix]) => `\`${prefix}\``);
    const rows = new Map<string, { readonly type: string; readonly names: string[] }>();
    for (const [field, { kind, targets }] of declaredFirst()) {
      for (const target of targets) {
        if (target.protocol !== name) continue;
        const key = 'bit' in target ? `${target.name} ${target.bit}` : target.name;
        const bits = bitsOf(target);
        const type = kind === 'number' ? `${bits} ${bits === 1 ? 'bit' : 'bits'}` : TYPES[kind];
        const row = rows.get(key) ?? { type, names: [] };
        rows.set(key, row);
        if (!row.names.includes(`\`${field}\``)) row.names.push(`\`${field}\``);
      }
    }
    const title = `### ${label} (${names.join(', ')})\n\n${declaration.source}\n`;
    if (rows.size === 0) return title;
    const lines = [...rows.values()].map((row) => `| ${row.names.join(', ')} | ${row.type} |`);
    return `${title}\n| names | type |\n| --- | --- |\n${lines.join('\n')}\n`;
  });
  return `${HEAD}\n${sections.join('\n')}`;
}
