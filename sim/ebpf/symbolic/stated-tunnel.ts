/** What a path knows of the tunnel that its program sends the frame into. */
import type { Term } from './term.ts';

/** A key that the program has stated. */
export interface StatedTunnel {
  readonly ipv6: boolean;
  /** Bytes of `struct bpf_tunnel_key` as it was stated: without its flags. */
  readonly key: readonly Term[];
  /** As they are shown: 16 bits. */
  readonly flags: Term;
  /** Undefined: none. */
  readonly options?: readonly Term[];
}
