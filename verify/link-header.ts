/** Programs that are given frames of another kind than they are made for: nothing can be said of what they do to them. */
import { takesIpFirst } from '../sim/ebpf/dictionary/link-layer.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import type { Program } from '../sim/runtime/program.ts';

const known = new WeakMap<Program, boolean>();

const AS_ON =
  'as on devices without a link header (tun, WireGuard); it was given Ethernet frames, which are not judged';

export const NO_LINK_HEADER = `the program takes the first byte for that of an IP header, ${AS_ON}`;
const PUTS_LINK_HEADER = `the program puts an Ethernet header in front of what it is given, ${AS_ON}`;

/** What is said of a program that does one of the two, or both, whatever the world holds. */
export function noLinkHeader({ onlyPuts }: { readonly onlyPuts: boolean }): string {
  return onlyPuts ? PUTS_LINK_HEADER : NO_LINK_HEADER;
}

/** What is said of one that does so with some contents of the world. */
export function sometimesNoLinkHeader({ onlyPuts }: { readonly onlyPuts: boolean }): string {
  const what = onlyPuts
    ? 'put an Ethernet header in front of what it is given'
    : 'take the first byte for that of an IP header';
  return `what the world holds makes the program ${what}, ${AS_ON} there`;
}

/** Is it, by its text, for frames that begin with an Ethernet header, as all are that are generated? `frameUses` tells what runs show. */
export function isForEthernet(program: Program): boolean {
  let is = known.get(program);
  if (is === undefined) {
    is = !isIpFirst(program);
    known.set(program, is);
  }
  return is;
}

function isIpFirst({ object, entries }: Program): boolean {
  if (object === undefined) return false;
  try {
    return takesIpFirst(linkedObject(object), entries);
  } catch {
    // An object that does not load fails where it is run, with the reason.
    return false;
  }
}
