/** Locks and sections in which nothing may interrupt a program: on a path, nothing does. */
import { noteShared } from './acts.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';

const nothing: SymbolicHelper = () => undefined;

const spinLock: SymbolicHelper = (_inputs, state) => {
  noteShared(state, 'bpf_spin_lock');
  return undefined;
};

/** Always free, as in the machine: elsewhere another CPU may hold it, or hold it for too long. */
const lock: SymbolicHelper = (_inputs, state) => {
  noteShared(state, 'bpf_res_spin_lock');
  state.assume('bpf_res_spin_lock gets its lock: no other CPU holds it');
  return state.pool.constant(64, 0);
};

export const SECTION_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_spin_lock: spinLock,
  bpf_spin_unlock: nothing,
  bpf_res_spin_lock: lock,
  bpf_res_spin_lock_irqsave: lock,
  bpf_res_spin_unlock: nothing,
  bpf_res_spin_unlock_irqrestore: nothing,
  bpf_rcu_read_lock: nothing,
  bpf_rcu_read_unlock: nothing,
  bpf_preempt_disable: nothing,
  bpf_preempt_enable: nothing,
  bpf_local_irq_save: nothing,
  bpf_local_irq_restore: nothing,
  bpf_ct_release: nothing,
  bpf_xdp_xfrm_state_release: nothing,
};
