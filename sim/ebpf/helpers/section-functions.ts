/**
 * Kernel functions around sections in which nothing may interrupt a program, or memory may not be freed
 * (kernel/bpf/helpers.c). In the machine nothing does.
 */
import { type Helper, NO_EFFECTS, type Obligation } from './helper.ts';

function define(name: string, parameters: Helper['arguments'], obligation: Obligation): Helper {
  return {
    number: 0,
    name,
    arguments: parameters,
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation },
    symbolic: 'exact',
    run: () => 0,
  };
}

export const SECTION_FUNCTIONS: readonly Helper[] = [
  define('bpf_rcu_read_lock', [], 'acquires'),
  define('bpf_rcu_read_unlock', [], 'releases'),
  define('bpf_preempt_disable', [], 'acquires'),
  define('bpf_preempt_enable', [], 'releases'),
  define('bpf_local_irq_save', ['irq_flags_out'], 'acquires'),
  define('bpf_local_irq_restore', ['irq_flags'], 'releases'),
];
