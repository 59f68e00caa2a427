/** The register of everything that `check` can find, in the order of docs/invariants.md. */
import { ACTION_RULES } from './action.ts';
import { ARP_RULES } from './arp.ts';
import { CHECKSUM_RULES } from './checksum-rules.ts';
import { DNS_RULES } from './dns-answer.ts';
import { FRAME_RULES } from './frame-rules.ts';
import { HELPER_RULES } from './helper-rules.ts';
import { ICMP_ERROR_RULES } from './icmp-error.ts';
import { LOOKUP_RULES } from './lookup-rules.ts';
import { MPLS_RULES } from './mpls.ts';
import { NEIGHBOUR_RULES } from './neighbour-discovery.ts';
import { PPPOE_RULES } from './pppoe.ts';
import { PROTOCOL_RULES } from './protocol-number.ts';
import { REDIRECT_RULES } from './redirect.ts';
import { REPLY_RULES } from './reply.ts';
import { REPLY_PORT_RULES } from './reply-ports.ts';
import { REPLY_TARGET_RULES } from './reply-target.ts';
import type { Rule } from './rule.ts';
import { RUN_RULES } from './run-rules.ts';
import { SEGMENT_SIZE_RULES } from './segment-size.ts';
import { TCP_ANSWER_RULES } from './tcp-answer.ts';
import { TRAFFIC_CLASS_RULES } from './traffic-class.ts';
import { TRANSLATED_QUOTE_RULES } from './translated-quote.ts';
import { TRANSPORT_RULES } from './transports.ts';
import { TTL_RULES } from './ttl.ts';
import { UNANSWERABLE_RULES } from './unanswerable.ts';

/** Those that are about headers. */
const HEADER_RULES: readonly Rule[] = [
  ...CHECKSUM_RULES,
  ...TRANSPORT_RULES,
  ...FRAME_RULES,
  ...PPPOE_RULES,
  ...PROTOCOL_RULES,
  ...TTL_RULES,
  ...TRAFFIC_CLASS_RULES,
  ...MPLS_RULES,
  ...REPLY_RULES,
  ...REPLY_TARGET_RULES,
  ...REPLY_PORT_RULES,
  ...UNANSWERABLE_RULES,
  ...ICMP_ERROR_RULES,
  ...TRANSLATED_QUOTE_RULES,
  ...TCP_ANSWER_RULES,
  ...SEGMENT_SIZE_RULES,
  ...NEIGHBOUR_RULES,
  ...ARP_RULES,
  ...DNS_RULES,
];

export const RULES: readonly Rule[] = [
  ...HEADER_RULES,
  ...ACTION_RULES,
  ...REDIRECT_RULES,
  ...LOOKUP_RULES,
  ...HELPER_RULES,
  ...RUN_RULES,
];

const BY_ID = new Map(RULES.map((one) => [one.id, one]));

/** @throws {RangeError} where the register lacks it: whatever is found has a rule */
export function ruleOf(id: string): Rule {
  const found = BY_ID.get(id);
  if (found === undefined) throw new RangeError(`no invariant “${id}” in verify/invariants/rules.ts`);
  return found;
}

const groupOf = (id: string): string => id.split('/')[0]!;

const HEADER_GROUPS: ReadonlySet<string> = new Set([
  ...HEADER_RULES.map(({ id }) => groupOf(id)),
  groupOf('untouched/broken'),
]);

/** Is it, or its group, about headers: meaningless where nobody knows where they begin? */
export function isOfHeaders(id: string): boolean {
  return HEADER_GROUPS.has(groupOf(id));
}

/** Are there rules of this name, or of this group (`checksum`)? */
export function isKnownRule(name: string): boolean {
  return RULES.some(({ id }) => isNamed(id, name));
}

/** Does a name of `--off` or `--only`, an identifier or its first half, mean this rule? */
export function isNamed(id: string, name: string): boolean {
  return id === name || id.startsWith(`${name}/`);
}
