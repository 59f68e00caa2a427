/** Locks in map values (kernel/bpf/helpers.c). One CPU runs here, so there is nobody to wait for. */
import { type Helper, NO_EFFECTS } from './helper.ts';

export const LOCK_HELPERS: readonly Helper[] = [
  {
    number: 93,
    name: 'bpf_spin_lock',
    arguments: ['spin_lock'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'locks' },
    symbolic: 'exact',
    run: (machine, lock) => {
      machine.memory.setU32(lock, 1);
      return 0;
    },
  },
  {
    number: 94,
    name: 'bpf_spin_unlock',
    arguments: ['spin_lock'],
    returns: 'void',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'unlocks' },
    symbolic: 'exact',
    run: (machine, lock) => {
      machine.memory.setU32(lock, 0);
      return 0;
    },
  },
];

function resilient(name: string, locks: boolean, savesFlags: boolean): Helper {
  const flags = locks ? 'irq_flags_out' : 'irq_flags';
  return {
    number: 0,
    name,
    arguments: savesFlags ? ['res_spin_lock', flags] : ['res_spin_lock'],
    returns: locks ? 'word' : 'void',
    note: 'always free: one CPU runs',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, lock) => {
      machine.memory.setU32(lock, locks ? 1 : 0);
      return 0;
    },
  };
}

/** Locks that notice when they would wait for ever (kernel/bpf/rqspinlock.c, Linux 6.15). */
export const LOCK_FUNCTIONS: readonly Helper[] = [
  resilient('bpf_res_spin_lock', true, false),
  resilient('bpf_res_spin_unlock', false, false),
  resilient('bpf_res_spin_lock_irqsave', true, true),
  resilient('bpf_res_spin_unlock_irqrestore', false, true),
];
