/** Builds `docs/protocols.md`: every protocol, what announces it, what follows it, and its checksum, from the register. */
import type { Protocol } from '../../../sim/packet/declaration/protocol.ts';
import { followersOf, protocols } from '../../../sim/packet/protocols.ts';

const SPACES: Readonly<Record<string, string>> = {
  etherType: 'EtherType',
  ipProtocol: 'IP protocol',
  ipv4Protocol: 'IPv4 protocol',
  ipv6Protocol: 'IPv6 next header',
  udpPort: 'UDP port',
  pppProtocol: 'PPP protocol',
  nshProtocol: 'NSH and VXLAN-GPE next protocol',
  llcSap: 'LLC SAP',
};

const HEAD = `# Protocols

What xdpsim reads, builds, generates and judges. One declaration in \`sim/packet/\` states each of these protocols, and one
table, made of the declarations, says what follows what: decoded trees, filters, the packet builder and the generator go by
it. The checksum oracle has a walk of its own; \`verify/oracle/walk.test.ts\` compares it with the table, so that neither
follows a tunnel that the other does not.

- **Tags** of 0x8100, 0x88a8, 0x9100 and 0x9200 are stepped over, however many. The kernel knows the first two, and so do the
  built-in programs.
- **VXLAN and VXLAN-GPE** are found on any UDP port that announces nothing, and so is IP right behind UDP (FOU): only where
  flags, lengths and versions fit.
- **L2TPv3** does not say how long its cookie is: a frame with IP or ARP is looked for behind 0 to 12 bytes.
- **L2TPv2** carries PPP, with address and control bytes or without, and with a protocol of one byte where both ends agreed on it.
- **Ethernet over MPLS**: nothing says what stands below the last label. IP is told by its first bits; a frame, with a control word in
  front or without, is followed where it holds IP or ARP whose lengths fit.
- **CAPWAP** carries frames of Ethernet, or of 802.11: data frames that are neither encrypted nor aggregated lead to LLC. Frames whose
  two bytes of frame control are exchanged, as Cisco sends them, are read as well.
- **LISP** carries IP. What is encrypted (RFC 8061), and what a number announces (RFC 9305), is not followed.
- **HSR and 802.1CB** have a tag as VLANs do, with the type of what follows behind it. PRP's trailer, behind the packet, is read as padding.
- **NVGRE** is GRE with a key and Ethernet; **ERSPAN I** is GRE with ERSPAN's number and no sequence number.
- **ICMP errors**: the packet that they quote is read as well. It ends where the extensions of RFC 4884 begin, whose checksum is judged by
  itself: behind as many words as the error states, 128 bytes or more, or behind 128 bytes of one that states none (§5.5) where the
  checksum is right. An extended echo request (RFC 8335) has them behind its header.
- **IP fragments**: \`xdpsim checksum\` puts them together ([captures.md](captures.md)).

[filters.md](filters.md) lists the names of all fields. This page is written from the register.

`;

function announced({ declaration }: Protocol): string {
  const spaces = Object.entries(declaration.announcedBy ?? {}).map(([space, numbers]) => {
    const isHex = space === 'etherType' || space === 'pppProtocol' || space === 'llcSap';
    const shown = (numbers as readonly number[]).map((number) =>
      isHex ? `0x${number.toString(16).padStart(4, '0')}` : number,
    );
    return `${SPACES[space]} ${shown.join(', ')}`;
  });
  return spaces.join('; ') || '–';
}

function followers(protocol: Protocol): string {
  const names = followersOf(protocol.name);
  const all = names.length > 12 ? [...names.slice(0, 12), `and ${names.length - 12} more`] : names;
  return all.join(', ') || '–';
}

function checksum({ declaration }: Protocol): string {
  const sections = Object.values(declaration.sections ?? {}).flatMap(({ fields }) => Object.values(fields));
  for (const { options } of [...Object.values(declaration.fields), ...sections]) {
    const { computed } = options;
    if (computed?.what !== 'checksum') continue;
    if (computed.algorithm === 'crc32c') return 'CRC32c';
    if (computed.covers === 'header') return 'of the header';
    return computed.pseudoHeader === undefined ? 'of the message' : 'of the message and a pseudo-header';
  }
  return '–';
}

export function protocolPage(): string {
  const head =
    '| protocol | name | source | announced by | what can follow | checksum |\n| --- | --- | --- | --- | --- | --- |';
  const rows = protocols.map((protocol) => {
    const { name, label, declaration } = protocol;
    const cells = [
      label,
      `\`${name}\``,
      declaration.source,
      announced(protocol),
      followers(protocol),
      checksum(protocol),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return `${HEAD}${head}\n${rows.join('\n')}\n`;
}
