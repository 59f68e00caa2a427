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
