/**
 * What Linux 6.18 lets XDP or TC programs use and the machine lacks: helpers, kernel functions, types of maps, and why. An
 * object that needs one is run by the kernel's engines only. `docs/helpers.md` is made from these lists and the registers;
 * a kernel suite compares them with what the running kernel's verifier says.
 */
import type { MapType } from '../../runtime/maps.ts';

export interface UnsupportedHelper {
  readonly number: number;
  /** Which programs may call it; absent: both. */
  readonly only?: 'xdp' | 'tc';
  /** Why the machine lacks it: a sentence without its full stop. */
  readonly because: string;
}

const TASK =
  'it needs the task that the frame interrupts, which is in kernel memory that the machine does not have';
const CGROUP = "it needs the running kernel's cgroups";

export const UNSUPPORTED_HELPERS: readonly UnsupportedHelper[] = [
  { number: 35, because: TASK },
  { number: 141, because: TASK },
  { number: 149, because: 'it prints structures of the running kernel by its BTF' },
  { number: 156, because: TASK },
  { number: 157, because: TASK },
  { number: 158, because: TASK },
  { number: 175, because: TASK },
  { number: 180, because: TASK },
  { number: 194, because: 'the machine has no objects that programs allocate or take from the kernel' },
];

/** Allowed to XDP and TC programs by name, but they may sleep, and no such program may: the verifier refuses each call. */
export const SLEEPING_HELPERS: readonly number[] = [148, 191];

export interface UnsupportedFunctions {
  readonly names: readonly string[];
  readonly only?: 'xdp' | 'tc';
  readonly because: string;
}

/** The same for kernel functions (kfuncs). */
export const UNSUPPORTED_FUNCTIONS: readonly UnsupportedFunctions[] = [
  {
    because: 'making and changing conntrack entries',
    names: [
      'bpf_ct_change_status',
      'bpf_ct_change_timeout',
      'bpf_ct_insert_entry',
      'bpf_ct_set_nat_info',
      'bpf_ct_set_status',
      'bpf_ct_set_timeout',
      'bpf_skb_ct_alloc',
      'bpf_xdp_ct_alloc',
    ],
  },
  {
    because: 'metadata of an skb',
    only: 'tc',
    names: ['bpf_dynptr_from_skb_meta'],
  },
  {
    because: 'TCP request sockets',
    only: 'tc',
    names: ['bpf_sk_assign_tcp_reqsk'],
  },
  {
    because: CGROUP,
    names: [
      'bpf_cgroup_read_xattr',
      'bpf_iter_css_destroy',
      'bpf_iter_css_new',
      'bpf_iter_css_next',
      'bpf_iter_css_task_destroy',
      'bpf_iter_css_task_new',
      'bpf_iter_css_task_next',
    ],
  },
  {
    because: "they need the running kernel's tasks",
    names: [
      'bpf_iter_task_destroy',
      'bpf_iter_task_new',
      'bpf_iter_task_next',
      'bpf_iter_task_vma_destroy',
      'bpf_iter_task_vma_new',
      'bpf_iter_task_vma_next',
      'bpf_send_signal_task',
      'bpf_task_acquire',
      'bpf_task_from_pid',
      'bpf_task_from_vpid',
      'bpf_task_get_cgroup1',
      'bpf_task_release',
      'bpf_task_under_cgroup',
      'bpf_task_work_schedule_resume_impl',
      'bpf_task_work_schedule_signal_impl',
    ],
  },
  {
    because: "they need the running kernel's keys, ciphers and memory caches",
    names: [
      'bpf_crypto_decrypt',
      'bpf_crypto_encrypt',
      'bpf_get_kmem_cache',
      'bpf_key_put',
      'bpf_lookup_system_key',
    ],
  },
  {
    because: 'they lead to kernel memory, which the machine does not have',
    names: ['bpf_cast_to_kern_ctx', 'bpf_rdonly_cast'],
  },
  {
    because: 'the machine has no objects that programs allocate',
    names: [
      'bpf_list_back',
      'bpf_list_front',
      'bpf_list_pop_back',
      'bpf_list_pop_front',
      'bpf_list_push_back_impl',
      'bpf_list_push_front_impl',
      'bpf_obj_drop_impl',
      'bpf_obj_new_impl',
      'bpf_percpu_obj_drop_impl',
      'bpf_percpu_obj_new_impl',
      'bpf_rbtree_add_impl',
      'bpf_rbtree_first',
      'bpf_rbtree_left',
      'bpf_rbtree_remove',
      'bpf_rbtree_right',
      'bpf_rbtree_root',
      'bpf_refcount_acquire_impl',
    ],
  },
  {
    because: 'they read kernel and user memory into dynptrs',
    names: [
      'bpf_probe_read_kernel_dynptr',
      'bpf_probe_read_kernel_str_dynptr',
      'bpf_probe_read_user_dynptr',
      'bpf_probe_read_user_str_dynptr',
    ],
  },
  {
    because: 'callbacks in a work queue run whenever the kernel comes to them',
    names: ['bpf_wq_init', 'bpf_wq_set_callback_impl', 'bpf_wq_start'],
  },
  { because: 'the machine has no exceptions', names: ['bpf_throw'] },
  { because: 'the machine has no output streams of programs', names: ['bpf_stream_vprintk_impl'] },
  {
    because: "functions of the kernel's own tests",
    names: ['__bpf_trap', 'bpf_modify_return_test_tp'],
  },
  {
    because: "functions of the kernel's own tests",
    only: 'tc',
    names: ['bpf_kfunc_call_memb_release', 'bpf_kfunc_call_test_release'],
  },
];

/** Types of maps. */
export const UNSUPPORTED_MAP_TYPES: Readonly<Partial<Record<MapType, string>>> = {
  STACK_TRACE: 'only helpers for tracing programs read it',
  CGROUP_STORAGE: CGROUP,
  PERCPU_CGROUP_STORAGE: CGROUP,
  REUSEPORT_SOCKARRAY: 'only programs that choose among sockets read it',
  STRUCT_OPS: 'only the kernel calls what it holds',
  INODE_STORAGE: 'only LSM programs may use it',
  TASK_STORAGE: TASK,
  ARENA: 'memory that program and user space share at addresses of their own',
};
