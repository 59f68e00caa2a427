/**
 * Faulty variants of the programs: what `verify` must find.
 *
 * Each is the program's own C source with one expression made wrong, the way it is found wrong in the field. The
 * source is edited as text, so a specimen is nothing but its defect and never falls behind the program.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf, SOURCE_ROOT } from '../../bpf/compile.ts';

export interface Specimen {
  readonly name: string;
  readonly program: string;
  /** What is wrong, as a sentence. */
  readonly defect: string;
  readonly edits: readonly Edit[];
  /** A packet this long shows the defect; a shrunk one may not be longer. */
  readonly shortest: number;
}

interface Edit {
  /** Relative to bpf/. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly from: string;
  readonly to: string;
}

const ECHO = 'icmp_echo.bpf.c';

/** Ethernet, IPv4 without options, ICMP header. */
const ECHO_V4 = 14 + 20 + 8;
const ECHO_V6 = 14 + 40 + 8;

export const icmpEchoSpecimens: readonly Specimen[] = [
  {
    name: 'checksum_not_updated',
    program: 'icmp_echo',
    defect: 'the type becomes a reply, the checksum stays the request’s',
    edits: [
      {
        file: ECHO,
        from: 'icmp->checksum = reply_checksum(icmp->checksum, ICMP_ECHO, ICMP_ECHOREPLY);',
        to: '',
      },
    ],
    shortest: ECHO_V4,
  },
  {
    name: 'folded_once',
    program: 'icmp_echo',
    defect: 'a carry out of the first fold is dropped',
    edits: [
      {
        file: 'include/checksum.h',
        from: '\tsum = (sum & 0xffff) + (sum >> 16);\n\tsum = (sum & 0xffff) + (sum >> 16);\n',
        to: '\tsum = (sum & 0xffff) + (sum >> 16);\n',
      },
    ],
    // Over IPv4 the second fold never carries: ~HC + ~0x0800 is at most 0x1FFF6.
    shortest: ECHO_V6,
  },
  {
    name: 'carry_lost',
    program: 'icmp_echo',
    defect: 'the difference is added without an end-around carry',
    edits: [
      {
        file: ECHO,
        from: 'icmp->checksum = reply_checksum(icmp->checksum, ICMP_ECHO, ICMP_ECHOREPLY);',
        to: 'icmp->checksum += bpf_htons(ICMP_ECHO << 8);',
      },
    ],
    shortest: ECHO_V4,
  },
  {
    name: 'wrong_byte_order',
    program: 'icmp_echo',
    defect: 'type and code are added as if the type were the word’s low byte',
    edits: [
      {
        file: ECHO,
        from: 'checksum_update(checksum, bpf_htons(request << 8), bpf_htons(reply << 8));',
        to: 'checksum_update(checksum, bpf_htons(request), bpf_htons(reply));',
      },
    ],
    shortest: ECHO_V4,
  },
  {
    name: 'all_zero_message',
    program: 'icmp_echo',
    defect: 'the reply that is all zero leaves with checksum 0x0000, which does not verify',
    edits: [{ file: ECHO, from: 'return sum ? sum : 0xffff;', to: 'return sum;' }],
    // Over IPv6, where no message is all zero, the program differs from its model only.
    shortest: ECHO_V6,
  },
  {
    name: 'answers_fragments',
    program: 'icmp_echo',
    defect: 'fragments are answered one by one',
    edits: [{ file: ECHO, from: ' || is_fragment(ip)', to: '' }],
    shortest: ECHO_V4,
  },
  {
    name: 'ihl_ignored',
    program: 'icmp_echo',
    defect: 'the ICMP header is looked for right behind the fixed IPv4 header, options or not',
    edits: [
      { file: 'include/parsing.h', from: 'length = header->ihl * 4;', to: 'length = sizeof(*header);' },
    ],
    shortest: ECHO_V4 + 4,
  },
  {
    name: 'ipv6_addresses_not_swapped',
    program: 'icmp_echo',
    defect: 'the IPv6 reply goes to the address that was asked',
    edits: [
      {
        file: ECHO,
        from: '\taddress = ip6->saddr;\n\tip6->saddr = ip6->daddr;\n\tip6->daddr = address;\n',
        to: '\t(void)address;\n',
      },
    ],
    shortest: ECHO_V6,
  },
  {
    name: 'short_icmp_answered',
    program: 'icmp_echo',
    defect: 'an ICMP header cut off after four bytes is answered',
    edits: [
      {
        file: ECHO,
        from: 'total < ip->ihl * 4 + sizeof(*icmp)',
        to: 'total < ip->ihl * 4 + 4',
      },
      {
        file: 'include/parsing.h',
        from: '\tstruct icmphdr *header = cursor->pos;\n\n\tif ((void *)(header + 1) > cursor->end)',
        to: '\tstruct icmphdr *header = cursor->pos;\n\n\tif ((void *)header + 4 > cursor->end)',
      },
    ],
    shortest: ECHO_V4 - 4,
  },
  {
    name: 'counted_twice',
    program: 'icmp_echo',
    defect: 'every packet is counted twice',
    edits: [
      {
        file: ECHO,
        from: 'return count_action(ctx, answer(ctx));',
        to: 'return count_action(ctx, count_action(ctx, answer(ctx)));',
      },
    ],
    shortest: 14,
  },
];

/**
 * Compiles a specimen in a folder of its own.
 * @returns the object's bytes
 * @throws {Error} when an edit does not fit the source, or the result does not compile
 */
export function buildSpecimen(specimen: Specimen): Uint8Array {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-specimen-'));
  try {
    mkdirSync(join(scratch, 'bpf'));
    cpSync(join(SOURCE_ROOT, 'bpf/include'), join(scratch, 'bpf/include'), { recursive: true });
    const source = `bpf/${specimen.program}.bpf.c`;
    cpSync(join(SOURCE_ROOT, source), join(scratch, source));
    for (const edit of specimen.edits) applyEdit(specimen, edit, join(scratch, 'bpf', edit.file));
    const object = join(scratch, `${specimen.name}.o`);
    compileBpf(source, object, { root: scratch });
    return new Uint8Array(readFileSync(object));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function applyEdit(specimen: Specimen, edit: Edit, path: string): void {
  const text = readFileSync(path, 'utf8');
  const parts = text.split(edit.from);
  if (parts.length !== 2) {
    throw new Error(
      `specimen ${specimen.name}: “${edit.from}” occurs ${parts.length - 1} times in ${edit.file}, not once`,
    );
  }
  writeFileSync(path, parts.join(edit.to));
}
