/** Which fields programs may read and write, offset by offset and size by size, as the verifier was recorded: for tests only. */
import { readFileSync } from 'node:fs';

/** What is accessed: a context, or a socket as `skb->sk` holds it, as `bpf_sk_fullsock` or `bpf_tcp_sock` return it. */
export const STRUCTURES = ['xdp_md', '__sk_buff', 'sock_common', 'sock', 'tcp_sock'] as const;
export type Structure = (typeof STRUCTURES)[number];

export const KINDS = ['read', 'sign-extending read', 'write'] as const;
export type Kind = (typeof KINDS)[number];

export const SIZES = [1, 2, 4, 8] as const;

/** Bytes before a structure that are tried, too, and of each what is behind its end. */
const BEFORE = 8;
const UP_TO: Readonly<Record<Structure, number>> = {
  xdp_md: 40,
  __sk_buff: 208,
  sock_common: 96,
  sock: 96,
  tcp_sock: 128,
};

/** `1` for each offset at which an access is allowed. */
export type Table = Readonly<Record<string, string>>;

export function tableOf(
  structure: Structure,
  allows: (kind: Kind, offset: number, size: number) => boolean,
): Table {
  const table: Record<string, string> = {};
  for (const kind of KINDS) {
    for (const size of SIZES) {
      // There is nothing to extend in eight bytes.
      if (kind === 'sign-extending read' && size === 8) continue;
      let row = '';
      for (let offset = -BEFORE; offset < UP_TO[structure]; offset++)
        row += allows(kind, offset, size) ? '1' : '0';
      table[`${kind} of ${size}`] = row;
    }
  }
  return table;
}

export const RECORDED_ACCESSES: URL = new URL('./accesses.json', import.meta.url);

export function recordedAccesses(): Readonly<Record<Structure, Table>> {
  return JSON.parse(readFileSync(RECORDED_ACCESSES, 'utf8')) as Record<Structure, Table>;
}
