/** The rules about helpers that are called for what they do. */
import { type Rule, rule } from './rule.ts';

export const HELPER_RULES: readonly Rule[] = [
  rule(
    'helper/refused',
    'warning',
    'A helper that refuses what it is passed, unnoticed',
    'The helper returned -EINVAL each time, and no instruction looks at that: what it was called for has never been done, and the packet goes on as if it had. An unknown flag, or a size that the structure never had, is refused on every packet. Look at the result. Reported where several packets show it, and none for which the call succeeds.',
  ),
];
