/** The register of helpers: one line per topic. What is not here is refused when a program is loaded, by name. */

import { CALLBACK_HELPERS } from './callback-helpers.ts';
import { CHECKSUM_HELPERS } from './checksum-helpers.ts';
import { CLOCK_HELPERS } from './clock-helpers.ts';
import { DYNPTR_HELPERS } from './dynptr-helpers.ts';
import { EVENT_HELPERS } from './event-helpers.ts';
import { FIB_HELPERS } from './fib-helper.ts';
import type { Helper } from './helper.ts';
import { KERNEL_VARIABLE_HELPERS } from './kernel-variable-helpers.ts';
import { LOCK_HELPERS } from './lock-helpers.ts';
import { MAP_HELPERS } from './map-helpers.ts';
import { OWNER_HELPERS } from './owner-helpers.ts';
import { PERF_HELPERS } from './perf-helpers.ts';
import { PROBE_READ_HELPERS } from './probe-read-helpers.ts';
import { REDIRECT_HELPERS } from './redirect-helpers.ts';
import { SKB_BYTES_HELPERS } from './skb-bytes-helpers.ts';
import { SKB_CHANGE_HELPERS } from './skb-change-helpers.ts';
import { SKB_CHECKSUM_HELPERS } from './skb-checksum-helpers.ts';
import { SKB_META_HELPERS } from './skb-meta-helpers.ts';
import { SOCKET_HELPERS } from './socket-helpers.ts';
import { SOCKET_LOOKUP_HELPERS } from './socket-lookup-helpers.ts';
import { STORAGE_HELPERS } from './storage-helpers.ts';
import { STRING_HELPERS } from './string-helpers.ts';
import { SYNCOOKIE_HELPERS } from './syncookie-helpers.ts';
import { TAIL_CALL_HELPERS } from './tail-call-helper.ts';
import { TASK_HELPERS } from './task-helpers.ts';
import { TIMER_HELPERS } from './timer-helpers.ts';
import { TRACE_HELPERS } from './trace-helpers.ts';
import { TUNNEL_HELPERS } from './tunnel-helpers.ts';
import { VLAN_HELPERS } from './vlan-helpers.ts';
import { XDP_ADJUST_HELPERS } from './xdp-adjust-helpers.ts';
import { XDP_BYTES_HELPERS } from './xdp-bytes-helpers.ts';

export const HELPERS: ReadonlyMap<number, Helper> = new Map(
  [
    ...MAP_HELPERS,
    ...CLOCK_HELPERS,
    ...TRACE_HELPERS,
    ...CHECKSUM_HELPERS,
    ...REDIRECT_HELPERS,
    ...XDP_ADJUST_HELPERS,
    ...CALLBACK_HELPERS,
    ...EVENT_HELPERS,
    ...FIB_HELPERS,
    ...KERNEL_VARIABLE_HELPERS,
    ...LOCK_HELPERS,
    ...SKB_BYTES_HELPERS,
    ...SKB_CHANGE_HELPERS,
    ...SKB_CHECKSUM_HELPERS,
    ...SKB_META_HELPERS,
    ...OWNER_HELPERS,
    ...SOCKET_HELPERS,
    ...SOCKET_LOOKUP_HELPERS,
    ...STORAGE_HELPERS,
    ...SYNCOOKIE_HELPERS,
    ...STRING_HELPERS,
    ...TUNNEL_HELPERS,
    ...VLAN_HELPERS,
    ...XDP_BYTES_HELPERS,
    ...DYNPTR_HELPERS,
    ...TAIL_CALL_HELPERS,
    ...TASK_HELPERS,
    ...TIMER_HELPERS,
    ...PERF_HELPERS,
    ...PROBE_READ_HELPERS,
  ].map((helper) => [helper.number, helper]),
);
