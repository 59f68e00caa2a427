/** The rules about helpers that are called for what they do. */
import { type Rule, rule } from './rule.ts';

export const HELPER_RULES: readonly Rule[] = [
  rule(
    'helper/refused',
    'warning',
    'A helper that refuses what it is passed, unnoticed',
    'The helper returned an error each time that what it was passed explains (-EINVAL, or -EACCES of `bpf_xdp_adjust_meta`), and no instruction looks at that: what it was called for has never been done, and the packet goes on as if it had. An unknown flag, a size that the structure never had, a packet type that there is not, metadata that is no multiple of 4 bytes, or an element of an array that is to be deleted is refused on every packet. Look at the result. Reported where several packets show it, and none for which the call succeeds.',
  ),
];
