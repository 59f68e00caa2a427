/** Bytes of `struct bpf_tunnel_key` (linux/bpf.h). */
export const TUNNEL_KEY_SIZE = 44;

/** What a frame carries for a tunnel device; valid while `MACHINE_WORD.tunnel` says so. */
export class TunnelInfo {
  readonly key: Uint8Array = new Uint8Array(TUNNEL_KEY_SIZE);
  ipv6 = false;
  flags = 0;
  options: Uint8Array = new Uint8Array(0);
}
