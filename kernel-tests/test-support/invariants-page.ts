/** docs/invariants.md: the register of invariants, each with a wrong and a right program, which are specimens that run. */
import { readFileSync } from 'node:fs';
import { packageFile } from '../../kernel/package-file.ts';
import { RULES } from '../../verify/invariants/rules.ts';
import { CHECK_SPECIMENS, type CheckSpecimen } from '../check-specimens/specimens.ts';

const HEAD = `# What \`xdpsim check\` looks for

Each invariant has an identifier, which reports name and which \`--off\` and \`--only\` take; its first half names the whole
group (\`--off ttl\`). An **error** fails the check, a **warning** and an **info** do not.
[check.md](check.md) says how a check goes; \`verify\` judges the groups \`checksum\`, \`lengths\`, \`fragments\`, \`ethertype\` and \`protocol\`, too
([oracle.md](oracle.md)).

The programs are specimens of xdpsim's own tests: \`check\` names the invariant in the wrong form, and passes the right one.
\`PROGRAM\`, \`CONTEXT\`, \`PASS\` and the like stand for what XDP and TC call them.
`;

/** Invariants that no small program breaks by itself, and why. */
export const WITHOUT_PROGRAM: Readonly<Record<string, string>> = {
  'checksum/recomputed': 'Reported by `verify`, where a model says that the checksum is to be updated.',
  'checksum/other-zero': 'Reported by `verify`, where a model says which zero is to be written.',
  'checksum/options-left-out': '',
  'checksum/padding-counted': '',
  'checksum/pseudo-header-left-out': '',
  'checksum/start-only':
    'An echo responder that sums `sizeof(struct icmphdr)` bytes of the message, and leaves its data out.',
  'checksum/pseudo-header-length': '',
  'checksum/pseudo-header-protocol': '',
  'checksum/ttl-wrapped':
    'The program of `ttl/wrapped` where it updates the checksum as the kernel’s `ip_decrease_ttl` does.',
  'checksum/pseudo-header-flag':
    'A NAT that passes the size alone, 4, to `bpf_l4_csum_replace` for an address.',
  'uninitialized/passed':
    'A program that hands a structure with padding to `bpf_perf_event_output`, without having cleared it.',
  'checksum/dccp': '',
  'checksum/gre': '',
  'checksum/igmp': '',
  'checksum/pim': '',
  'checksum/vrrp': '',
  'checksum/ospf': '',
  'checksum/ospf3': '',
  'checksum/icmpext': '',
  'lengths/header': '',
  'lengths/version': '',
  'lengths/extension': '',
  'pppoe/version': 'A program that puts a PPPoE header in front whose first byte is 0x10.',
  'pppoe/code':
    'A program that puts a PPPoE header in front of a packet, behind EtherType 0x8864, with code 0xa7.',
  'pppoe/length':
    'A program that puts a PPPoE header in front, and writes `length = len + 2` without `bpf_htons`.',
  'pppoe/protocol':
    'A program that puts a PPPoE header in front, and writes 0x0021 without `bpf_htons` behind it.',
  'encapsulation/room-flags':
    'A program that calls `bpf_skb_adjust_room` with BPF_F_ADJ_ROOM_ENCAP_L3_IPV6, and writes an IPv4 header into the room.',
  'lookup/beyond-array': 'A program that counts in element 16 of an array of 16.',
  'lookup/prefix-length': 'A program that asks a trie of IPv4 prefixes with `prefixlen = 128`.',
  'lookup/prefix-order': 'A program that asks a trie of IPv4 prefixes for `bpf_ntohl(ip->saddr)`.',
  'ethertype/skb-protocol':
    'A program at ingress that writes another EtherType into the frame, and returns TC_ACT_OK.',
  'action/aborted': 'Any program that returns XDP_ABORTED.',
  'action/xdp-numbers':
    'A filter of XDP whose section and context were made those of TC, and whose actions were left.',
  'redirect/absent-device': 'Any program whose target is none of the devices that `--world` describes.',
  'reply/to-zero': '',
  'reply/group-source-mac': '',
  'reply/own-mac':
    'An echo responder that swaps the IP addresses, and leaves the MAC addresses as they came.',
  'reply/about-fragment':
    'A program that answers what is too long with “fragmentation needed”, later fragments, too.',
  'reply/about-error':
    'A program that answers every packet to a host with “unreachable”, and does not look at its protocol.',
  'reply/reset-answered':
    'A program that answers every TCP segment with a reset, and does not look at its flags; a SYN proxy that looks at SYN and ACK, and at no other flag.',
  'reply/acknowledgment-reopened':
    'A SYN proxy that answers whatever has the SYN flag, and does not look at the ACK flag.',
  'reply/error-to-destination':
    'A program that answers with “unreachable”, and copies the addresses of the packet as they are.',
  'reply/to-unspecified': 'A responder to neighbour solicitations that answers every source.',
  'reply/to-itself': 'A responder that writes `saddr = daddr; daddr = saddr`.',
  'reply/askers-mac':
    'An ARP responder that writes the addresses of the reply, and no source into the frame.',
  'dns/other-question':
    'A responder that looks names up in lower case, and writes them so into the packet that it answers with.',
  'dns/address-length': 'A responder that answers whatever type was asked for with 4 bytes.',
  'dns/ttl-byte-order': 'A responder that writes `answer->ttl = 60`.',
  'arp/reply-answered': 'An ARP responder that does not look at the operation.',
  'arp/frame-source': 'An ARP responder for several hosts, whose frames all have the address of the device.',
  'neighbour/to-all-nodes':
    'A responder that answers a solicitation from `::` to the group that it came to, and gives ff02::1 to none.',
  'reply/syn-not-acknowledged': 'A SYN proxy that copies the SYN’s number to `ack_seq`, and adds nothing.',
  'reply/reset-number': 'A program that answers every TCP segment with a reset whose number is 0.',
  'lengths/options': 'A SYN proxy that gives the maximum segment size with the length of its value, 2.',
  'load/refused-constant':
    'Any program that looks at the packet without a bounds check, or calls what its kind cannot, behind `if (enabled)`.',
  'verifier/stopped': 'As `load/refused`, on a machine without a kernel to ask.',
  'agreement/machine': 'No program is meant to.',
  'determinism/differs': 'A program that stores a pointer in a map, or sends it.',
  'kernel-version/refused': 'A program that calls a helper which is newer than the kernel.',
  'untouched/broken': 'A program that looks at the fields it needs, and not at lengths.',
};

export function invariantsPage(): string {
  const lines = [HEAD];
  let group = '';
  for (const { id, severity, title, why } of RULES) {
    const [own] = id.split('/') as [string];
    if (own !== group) lines.push(`## ${own}`, '');
    group = own;
    lines.push(`### \`${id}\``, '', `**${severity}**: ${title}.`, '', why, '');
    const specimen = CHECK_SPECIMENS.find(({ invariant }) => invariant === id);
    if (specimen !== undefined) {
      for (const faulty of [true, false]) {
        lines.push(faulty ? 'Wrong:' : 'Right:', '', '```c', programText(specimen, faulty), '```', '');
      }
      continue;
    }
    const note = WITHOUT_PROGRAM[id];
    if (note !== undefined && note !== '') lines.push(note, '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

/** The program's function, as one of its forms has it. */
export function programText({ name, source }: CheckSpecimen, faulty: boolean): string {
  const text = readFileSync(packageFile(`kernel-tests/${source}.bpf.c`), 'utf8');
  const own = source.startsWith('check-specimens/') ? name : 'specimen';
  const start = text.search(new RegExp(`^.*\\bint ${own}\\(`, 'm'));
  const end = text.indexOf('\n}\n', start) + 3;
  return tidy(chosen(expanded(text.slice(start, end), faulty), faulty));
}

/** Keeps one side of \`#ifdef FAULTY\` and \`#ifndef FAULTY\`. */
function chosen(text: string, faulty: boolean): string {
  let isKept = true;
  return text
    .split('\n')
    .filter((line) => {
      if (line === '#ifdef FAULTY') isKept = faulty;
      else if (line === '#ifndef FAULTY') isKept = !faulty;
      else if (line === '#else') isKept = !isKept;
      else if (line === '#endif') isKept = true;
      else return isKept;
      return false;
    })
    .join('\n');
}

/** Replaces the macros of check-specimens/common.h by what they stand for. */
function expanded(text: string, faulty: boolean): string {
  const call = /\b(FAULTY_OR_RIGHT|IF_FAULTY|IF_RIGHT)\(/.exec(text);
  if (call === null) return text;
  const [parts, end] = argumentsAt(text, call.index + call[0].length);
  const both = call[1] === 'FAULTY_OR_RIGHT';
  const all = parts.join(',').trim();
  const chosenText = both
    ? faulty
      ? parts[0]!.trim()
      : parts.slice(1).join(',').trim()
    : (call[1] === 'IF_FAULTY') === faulty
      ? all
      : '';
  return expanded(text.slice(0, call.index) + chosenText + text.slice(end), faulty);
}

/** What stands between parentheses, at commas of the outermost level. */
function argumentsAt(text: string, from: number): [parts: string[], end: number] {
  const parts = [''];
  let depth = 0;
  for (let at = from; ; at++) {
    const character = text[at]!;
    if (character === ')' && depth === 0) return [parts, at + 1];
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
}

/** Without lines that an expansion left empty. */
function tidy(text: string): string {
  const lines = text.split('\n');
  return lines
    .filter((line, at) => line.trim() !== '' || (line === '' && lines[at - 1]?.trim() !== ''))
    .map((line) => line.replaceAll(/ +;/g, ';').trimEnd())
    .filter((line) => line.trim() !== ';')
    .join('\n')
    .trim();
}
