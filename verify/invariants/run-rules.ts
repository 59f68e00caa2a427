/** The rules that no single frame shows: what the verifier, a second run, another kernel or the program's text do. */
import { type Rule, rule } from './rule.ts';

export const RUN_RULES: readonly Rule[] = [
  rule(
    'load/refused',
    'error',
    'The program does not load',
    'The verifier, or what loads the object (libbpf), does not accept it here. Its log is printed.',
  ),
  rule(
    'load/refused-constant',
    'warning',
    'The program does not load with another constant',
    'With another value of a `const volatile` variable than the object’s own there is more of the program, and with this value the verifier refuses it: whoever sets it cannot load it. Where no loader sets such a value, nothing is wrong.',
  ),
  rule(
    'verifier/stopped',
    'error',
    'The machine stopped the program',
    'The program did what the kernel’s verifier forbids, and no kernel was there to ask: most likely it will not load.',
  ),
  rule(
    'agreement/machine',
    'error',
    'The machine and the kernel disagree',
    'The same packet in the same world came to something else in the kernel than in the machine. Either the program depends on something that neither shows, or xdpsim is wrong: the case is saved.',
  ),
  rule(
    'uninitialized/frame',
    'error',
    'Uninitialised bytes leave with the frame',
    'Bytes that the program never wrote, of its stack or of the room that it made in front of the packet, are sent: they hold whatever lay there, and differ from run to run.',
  ),
  rule(
    'uninitialized/decision',
    'error',
    'Uninitialised bytes decide',
    'Whether the packet passes, or where it goes, depends on bytes of the stack that the program never wrote: as root, the verifier lets it read them.',
  ),
  rule(
    'uninitialized/map',
    'error',
    'Uninitialised bytes in a map',
    'Bytes that the program never wrote go into a map. In a key, or into a Bloom filter, they make entries that nobody finds again; in the padding of a value, or of one that is pushed, they only leak, which is a warning.',
  ),
  rule(
    'uninitialized/metadata',
    'warning',
    'Metadata that was never written',
    'The room that `bpf_xdp_adjust_meta` makes in front of the frame holds what lay there, an earlier packet’s metadata say: the kernel does not clear it. With XDP_PASS the program leaves bytes of it as they were that it writes for other packets, or all of them. Right where whoever reads them looks first whether they were filled; bytes that no packet has filled are padding, and a note.',
  ),
  rule(
    'uninitialized/left-over',
    'warning',
    'What another packet left in scratch memory decides',
    'An element of a per-CPU array holds what the last packet left there: the program fills it in for some packets (ports, of TCP and UDP) and reads it for others. Clear the element first, as with `__builtin_memset`, or write every member on every way. Reported where a packet comes to something else behind another one. Not taken for scratch is what some packet reads before it writes it anew, as counters, buckets and caches do. Right where one packet is meant to set what becomes of the next ones on that CPU.',
  ),
  rule(
    'uninitialized/passed',
    'warning',
    'Uninitialised bytes handed on',
    'Bytes of the stack that the program never wrote are handed to a helper that takes them where neither frame nor maps show it: to user space in an event, into the key or options of a tunnel, or into a question for a map or a socket. So does a sample of a ring buffer with a member that was not written, which is a note: the kernel does not clear samples, and padding and a buffer at the end that is filled in part are not reported.',
  ),
  rule(
    'determinism/differs',
    'warning',
    'Two runs differ',
    'The same packet in the same world came to something else when it was run again in the kernel, though clock and chance were the same.',
  ),
  rule(
    'kernel-version/differs',
    'error',
    'Another kernel does otherwise',
    'As one of the kernels named with `--as-kernel` the machine does something else with this packet than as the newest.',
  ),
  rule(
    'kernel-version/refused',
    'error',
    'Another kernel cannot run it',
    'One of the kernels named with `--as-kernel` lacks something that the program needs.',
  ),
  rule(
    'counter/lost-update',
    'warning',
    'A counter that two CPUs can lose',
    'The program loads a value of a shared map, changes it and stores it, without an atomic operation or a lock: what another CPU adds in between is lost. That is so of token buckets, too, which clamp the sum before it is stored. Use `__sync_fetch_and_add`, `bpf_spin_lock`, or a per-CPU map. A note where each receive queue has a place of its own (`ctx->rx_queue_index`): one CPU at a time serves a queue, as long as one device alone runs the program, in its driver.',
  ),
  rule(
    'payload/not-linear',
    'warning',
    'Payload counts only where it lies between data and data_end',
    'Between `data` and `data_end` is what the kernel has in one piece: of TCP from a local socket nothing but headers, of what comes in as much as the driver copies. The rest is in pages, and a bounds check finds the frame too short. A TC program treats the same frame otherwise then. Call `bpf_skb_pull_data` first, or read with `bpf_skb_load_bytes`. A warning for TCP, a note for UDP, whose short datagrams most drivers copy as a whole, and where nothing but maps differ.',
  ),
  rule(
    'payload/slice-copied',
    'warning',
    'What is written to a slice does not reach the frame',
    'Where a frame lies in pieces, `bpf_dynptr_slice` and `bpf_dynptr_slice_rdwr` copy the bytes that are asked for into the buffer, and return that. The program did otherwise about such a frame than about the same one in one piece. Write the buffer back with `bpf_dynptr_write` where the slice is the buffer.',
  ),
  rule(
    'payload/misplaced',
    'warning',
    'Data looked for where it is not',
    'Options of IPv4 or TCP move the data, and the program looks for it where it is without them: bytes of the options decide, and the data behind them does not. Whoever sends them goes past a filter, or is taken for somebody else. An error where something is written there. An IPv4 header has `ihl * 4` bytes, a TCP header `doff * 4`; most TCP segments have options (timestamps).',
  ),
  rule(
    'untouched/broken',
    'info',
    'A malformed frame was changed and passed on',
    'The frame came with lengths that contradict each other, and the program changed it all the same: often a check comes after the first write.',
  ),
];
