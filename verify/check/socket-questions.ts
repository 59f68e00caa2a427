/** Does a program ask for the socket of its frame? A test run's frames have one, and what comes in by a device has none. */
import { looksAtSocket } from '../../sim/ebpf/context/socket.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { callsAny } from './judging.ts';

/** Helpers that look at the socket of a frame themselves (net/core/filter.c). */
const OWNERS: ReadonlySet<string> = new Set([
  'bpf_skb_under_cgroup',
  'bpf_get_socket_cookie',
  'bpf_get_socket_uid',
  'bpf_skb_cgroup_id',
  'bpf_skb_ancestor_cgroup_id',
]);

/** Does it look at `skb->sk`, or ask a helper whose the frame is? */
export function asksForSocket(program: Program): boolean {
  const { object, entries } = program;
  if (object === undefined || entries.every(({ hook }) => hook === 'xdp')) return false;
  return (
    linkedObject(object).programs.some(looksAtSocket) || callsAny(program, ({ name }) => OWNERS.has(name))
  );
}
