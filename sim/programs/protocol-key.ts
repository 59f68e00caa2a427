/** What `proto_count` and `proto_count_hash` count a frame under. */
import type { Frame } from '../runtime/context.ts';
import { Parsing } from './parsing.ts';

const parsing = new Parsing();

/**
 * The IPv4 protocol or the IPv6 next header; 0 for ARP, other EtherTypes, three or more tags, and an IP header
 * that is not parsed. −1, not to be counted, for a frame too short for Ethernet or with a tag cut off.
 */
export function protocolKey(frame: Frame): number {
  parsing.parse(frame);
  if (parsing.link === 'too short') return -1;
  return parsing.version === 0 ? 0 : parsing.protocol;
}
