/**
 * A scenario: namespaces with devices, the wires between them, programs on the devices, and what is sent. Plain
 * data, the same for the simulated network and for the real one.
 */
import type { ProgramEntry } from '../runtime/program.ts';
import type { Device, MapEntry, Neighbour, Route } from '../runtime/world.ts';

export interface Scenario {
  readonly name: string;
  /** What it shows, in a sentence or two. */
  readonly description: string;
  readonly namespaces: readonly ScenarioNamespace[];
  readonly wires: readonly Wire[];
  readonly steps: readonly Step[];
}

/** A host: a network namespace of its own. */
export interface ScenarioNamespace {
  readonly name: string;
  readonly devices: readonly ScenarioDevice[];
  readonly routes: readonly Route[];
  /** Permanent ones; all others are resolved by ARP and neighbour discovery. */
  readonly neighbours: readonly Neighbour[];
  readonly programs: readonly LoadedProgram[];
}

export interface ScenarioDevice extends Device {
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly forwarding: boolean;
  readonly xdp?: XdpAttachment;
  readonly tcIngress?: Attachment;
  readonly tcEgress?: Attachment;
}

/** A function of a loaded program, on a hook of a device. */
export interface Attachment {
  /** The name of one of the namespace's programs. */
  readonly program: string;
  readonly function: string;
}

export interface XdpAttachment extends Attachment {
  readonly mode: XdpMode;
}

/** In the driver, before there is an `sk_buff`; or behind it, which every device can. */
export type XdpMode = 'native' | 'generic';

/** An object that is loaded once: all its functions share their maps, on however many devices they are. */
export interface LoadedProgram {
  readonly name: string;
  /** A built-in program's name, or the path of an object. */
  readonly object: string;
  /** The functions that are attached, each once. */
  readonly entries: readonly ProgramEntry[];
  readonly globals: Readonly<Record<string, Uint8Array>>;
  readonly maps: Readonly<Record<string, readonly MapEntry[]>>;
}

/** A veth pair. */
export interface Wire {
  readonly a: Place;
  readonly b: Place;
}

/** A device and the namespace that it stands in; `left:veth0` in text. */
export interface Place {
  readonly namespace: string;
  readonly device: string;
}

/** One thing that is sent. The next step begins when nothing moves any more. */
export interface Step {
  readonly name: string;
  readonly send: Sending;
  /** The path that is expected, if any is stated: `left:veth0 out`, `right:veth0 in`, … */
  readonly expect?: readonly string[];
}

export type Sending =
  /** An IP packet that a namespace's stack routes, resolves and sends, as from a raw socket with its own header. */
  | { readonly kind: 'packet'; readonly namespace: string; readonly bytes: Uint8Array }
  /** A whole frame that goes out of a device, as from a packet socket. */
  | { readonly kind: 'frame'; readonly place: Place; readonly bytes: Uint8Array };

/** `left:veth0`. */
export function placeText({ namespace, device }: Place): string {
  return `${namespace}:${device}`;
}
