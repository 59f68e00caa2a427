/** The rules about what routes are looked up for. */
import { type Rule, rule } from './rule.ts';

export const LOOKUP_RULES: readonly Rule[] = [
  rule(
    'lookup/byte-order',
    'error',
    'A parameter of bpf_fib_lookup in the wrong byte order',
    'In `struct bpf_fib_lookup`, addresses and ports are in network order, `tot_len` is in host order. With `tot_len` as the header has it, without `bpf_ntohs`, nearly every packet is found too long (BPF_FIB_LKUP_RET_FRAG_NEEDED), and some that are too long pass. Reported where several packets show it, and none comes with a value that is right.',
  ),
];
