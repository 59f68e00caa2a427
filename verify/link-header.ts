/** Programs that are given frames of another kind than they are made for: nothing can be said of what they do to them. */
import { takesIpFirst } from '../sim/ebpf/dictionary/link-layer.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import type { Program } from '../sim/runtime/program.ts';

const known = new WeakMap<Program, boolean>();

export const NO_LINK_HEADER =
  'the program takes the first byte for that of an IP header, as on devices without a link header (tun, WireGuard); it was given Ethernet frames, which are not judged';

export const SOMETIMES_NO_LINK_HEADER =
  'what the world holds makes the program take the first byte for that of an IP header, as on devices without a link header (tun, WireGuard); it was given Ethernet frames, which are not judged there';

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
