/**
 * Whose is a frame, and where does it belong: the user, the control groups and the namespace of its socket
 * (net/core/filter.c, kernel/cgroup). Whatever runs is in the root control group of version 2, in no class of net_cls.
 * Cookies are numbers of no meaning but to tell apart: there is one socket and one namespace.
 */

import { NETNS_COOKIE, ROOT_CGROUP, SOCKET_COOKIE } from '../../runtime/chance.ts';
import { E2BIG, EAGAIN, ENOENT } from '../../runtime/errno.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import type { Machine } from '../machine.ts';
import { CONTEXT_BASE } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** Has the frame a socket? The helpers look at it, whatever the program did. */
const hasSocket = (machine: Machine): boolean => machine.memory.i32[(CONTEXT_BASE + SK_BUFF.sk) >> 2] !== 0;

/** `overflowuid` (kernel/sys.c): what nobody's frames belong to. */
const OVERFLOW_UID = 65_534;

/** Only user space fills such a map, with descriptors, which no world has. */
const underCgroup = (machine: Machine, map: number, index: number): number =>
  index >>> 0 >= machine.mapAt(map).definition.maxEntries ? -E2BIG : -EAGAIN;

/** Of the root control group, level 0 is itself, and there is no other. */
const ancestor = (machine: Machine, level: number): number =>
  machine.result64(level === 0 ? BigInt(ROOT_CGROUP) : 0n);

const IN_ROOT = 'that of the root cgroup, in the kernel engines too';
const ONE_OF_A_KIND = '1, in the kernel engines too: there is one';

export const OWNER_HELPERS: readonly Helper[] = [
  {
    number: 17,
    name: 'bpf_get_cgroup_classid',
    // TC programs pass their context; XDP programs, which ask about the task that runs, pass nothing.
    arguments: [],
    returns: 'int',
    note: '0: no cgroup has a class',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: () => 0,
  },
  {
    number: 24,
    name: 'bpf_get_route_realm',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    // No route was looked up for the frame.
    run: () => 0,
  },
  {
    number: 33,
    name: 'bpf_skb_under_cgroup',
    arguments: ['context', 'map', 'anything'],
    returns: 'int',
    maps: ['CGROUP_ARRAY'],
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _context, map, index) => (hasSocket(machine) ? underCgroup(machine, map, index) : -ENOENT),
  },
  {
    number: 37,
    name: 'bpf_current_task_under_cgroup',
    arguments: ['map', 'anything'],
    returns: 'int',
    maps: ['CGROUP_ARRAY'],
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: underCgroup,
  },
  {
    number: 46,
    name: 'bpf_get_socket_cookie',
    arguments: ['context'],
    returns: 'u64',
    note: ONE_OF_A_KIND,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(hasSocket(machine) ? BigInt(SOCKET_COOKIE) : 0n),
  },
  {
    number: 47,
    name: 'bpf_get_socket_uid',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine) => (hasSocket(machine) ? 0 : OVERFLOW_UID),
  },
  {
    number: 79,
    name: 'bpf_skb_cgroup_id',
    arguments: ['context'],
    returns: 'u64',
    note: IN_ROOT,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(hasSocket(machine) ? BigInt(ROOT_CGROUP) : 0n),
  },
  {
    number: 80,
    name: 'bpf_get_current_cgroup_id',
    arguments: [],
    returns: 'u64',
    note: IN_ROOT,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(BigInt(ROOT_CGROUP)),
  },
  {
    number: 83,
    name: 'bpf_skb_ancestor_cgroup_id',
    arguments: ['context', 'anything'],
    returns: 'u64',
    note: IN_ROOT,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine, _context, level) => (hasSocket(machine) ? ancestor(machine, level) : machine.result64(0n)),
  },
  {
    number: 122,
    name: 'bpf_get_netns_cookie',
    arguments: ['context_or_null'],
    returns: 'u64',
    note: ONE_OF_A_KIND,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(BigInt(NETNS_COOKIE)),
  },
  {
    number: 123,
    name: 'bpf_get_current_ancestor_cgroup_id',
    arguments: ['anything'],
    returns: 'u64',
    note: IN_ROOT,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: ancestor,
  },
  {
    number: 151,
    name: 'bpf_skb_cgroup_classid',
    arguments: ['context'],
    returns: 'u64',
    note: '0: no cgroup has a class',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, dependsOn: ['task'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(0n),
  },
];
