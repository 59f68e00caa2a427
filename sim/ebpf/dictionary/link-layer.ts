/** Which programs are for devices without a link header: tun, WireGuard, PPP. */
import type { Hook } from '../../runtime/actions.ts';
import type { BpfObject } from '../bpf-object.ts';
import { dictionaryOf } from './dictionary.ts';

const ETHERTYPE_AT = 12;

/** A function, and where it is attached. */
interface Entry {
  readonly function: string;
  readonly hook: Hook;
}

/**
 * Does a TC program take the first byte of what it is given for that of an IP header, and ask nothing of an EtherType? There is no
 * link header in front of packets that such devices hand to TC (`hard_header_len` 0).
 * @param entries the programs of the object that are asked about
 */
export function takesIpFirst(object: BpfObject, entries: readonly Entry[]): boolean {
  if (entries.length === 0 || entries.some(({ hook }) => hook === 'xdp')) return false;
  const programs = object.programs.flatMap((one) => {
    const entry = entries.find((each) => each.function === one.function);
    return entry === undefined ? [] : [{ ...one, hook: entry.hook }];
  });
  const asked = dictionaryOf({ ...object, programs });
  if (asked.some(({ offset }) => offset === ETHERTYPE_AT)) return false;
  // Of an Ethernet address one bit is asked, or all of it.
  return asked.some(({ offset, bytes }) => offset === 0 && bytes.length === 1 && isVersion(bytes[0]!));
}

/** IPv4, whatever the length of its header, and IPv6. */
function isVersion(byte: number): boolean {
  return byte >> 4 === 4 || byte >> 4 === 6;
}
