/**
 * Control groups by kernel functions (kernel/bpf/helpers.c, `bpf_cgroup_from_id` and its like): there is the root, whose
 * number is 1, and no other. What a program reads of it the machine does not have.
 */
import { ROOT_CGROUP } from '../../runtime/chance.ts';
import { ROOT_CGROUP_ADDRESS } from '../context/socket.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const NOTE = 'there is the root cgroup only';

export const CGROUP_FUNCTIONS: readonly Helper[] = [
  {
    number: 0,
    name: 'bpf_cgroup_from_id',
    arguments: ['anything'],
    returns: 'kernel_struct_or_null',
    note: NOTE,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null' },
    symbolic: 'any value',
    run: (machine, id) => (id === ROOT_CGROUP && machine.high(0) === 0 ? ROOT_CGROUP_ADDRESS : 0),
  },
  {
    number: 0,
    name: 'bpf_cgroup_acquire',
    arguments: ['cgroup'],
    returns: 'kernel_struct_or_null',
    note: NOTE,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null' },
    symbolic: 'any value',
    run: () => ROOT_CGROUP_ADDRESS,
  },
  {
    number: 0,
    name: 'bpf_cgroup_ancestor',
    arguments: ['cgroup', 'anything'],
    returns: 'kernel_struct_or_null',
    note: NOTE,
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null' },
    symbolic: 'any value',
    // An int: the level, 0 being the root.
    run: (_machine, _group, level) => (level === 0 ? ROOT_CGROUP_ADDRESS : 0),
  },
  {
    number: 0,
    name: 'bpf_cgroup_release',
    arguments: ['cgroup'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases pointer' },
    symbolic: 'any value',
    run: () => 0,
  },
];
