/**
 * What a program is to those who run it, and what a model author writes.
 *
 * A `ProgramDefinition` is the one thing that a user's own program has to bring: every suite, the command line
 * and the reports work from it.
 */
import type { Stimulus } from '../packet/packet-batch.ts';
import type { Hook } from './actions.ts';
import type { ModelContext } from './context.ts';
import type { MapDefinition } from './maps.ts';
import type { World } from './world.ts';

/** One function of an object, and where it is attached. */
export interface ProgramEntry {
  /** The function's name in the object: `icmp_echo`, `layer_coop_rx`. */
  readonly function: string;
  readonly hook: Hook;
  /**
   * For `tc-ingress`: the XDP function of the same object that stands on the same device. A packet runs through it
   * first, and where it passes, through this one, with the bytes and the metadata that XDP left. Where it does not,
   * the outcome is the device's in the words of TC: `TC_ACT_SHOT` for a frame that is gone, `TC_ACT_REDIRECT` for
   * one that XDP sends elsewhere, or back (then without a target).
   */
  readonly after?: string;
  /** The kind of map that the function stands in, where only a redirect runs it (`SEC("xdp/devmap")`). */
  readonly behindRedirect?: 'devmap' | 'cpumap';
  /** XDP: does the function take frames in several buffers (`SEC("xdp.frags")`)? Then frames of up to 64 KiB. */
  readonly frags?: boolean;
}

/** What engines open: a compiled object, a model, or both. */
export interface Program {
  readonly name: string;
  readonly entries: readonly ProgramEntry[];
  /** The ELF file's bytes; the model engine does without. */
  readonly object?: Uint8Array;
  /** The object's path, for messages. */
  readonly objectPath?: string;
  /** What names it on the command line (`my.o:main`, or a name and `--object`), for commands that repeat something. */
  readonly commandLine?: readonly string[];
  readonly definition?: ProgramDefinition;
  /** What the user wants generated packets to aim at, besides what the definition says (`--aim`, `--world`). */
  readonly hints?: GeneratorHints;
  /** How many entries maps have whose size the object leaves to its loader, by name: see `maxEntriesOf`. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /**
   * At TC: a run ends with this copy of the packet (`bpf_clone_redirect`), 0 being the first, as if the program had returned
   * TC_ACT_REDIRECT there, whether or not the world has the device, and with TC_ACT_SHOT where there is none. The engine `vm` alone does so. Default: runs end where
   * the program does.
   */
  readonly copy?: number;
}

export interface ModelEntry extends ProgramEntry {
  /** What the function should do to one packet: changes `context.frame`, returns the action. */
  readonly model: (context: ModelContext) => number;
}

export interface ProgramDefinition {
  readonly name: string;
  /** One line for `xdpsim programs`. */
  readonly summary: string;
  /** What the program does, in a few sentences. */
  readonly description: string;
  readonly entries: readonly ModelEntry[];
  /**
   * The compiled object, relative to the module that exports this definition. For users' own programs: the
   * built-in ones' objects are found by name, and `--object` overrides it.
   */
  readonly object?: string;
  /** The maps that are part of the specification; what the object has beside these is not compared. */
  readonly maps: readonly MapDefinition[];
  /**
   * Are the lines that the program prints (`bpf_printk`) part of its outcome? Default: where the model prints some (`trace`), in
   * the machine; the kernel's are read for `true` only, since that takes time.
   */
  readonly traces?: boolean;
  /** Initial worlds; cases are distributed over them. At least one. */
  readonly worlds: readonly NamedWorld[];
  /** Packets that show each behaviour once, with what must come of them. */
  readonly examples: readonly Example[];
  /** What generated packets should aim at. */
  readonly hints: GeneratorHints;
}

export interface NamedWorld {
  readonly name: string;
  readonly world: World;
}

export interface Example {
  /** A sentence: "answers an echo request with IPv4 options". */
  readonly name: string;
  readonly stimulus: Stimulus;
  readonly action: number;
  /** The frame that must leave, where the action lets one leave; default: the frame as it came. */
  readonly packet?: Uint8Array;
  /** The world it runs in, by name; default: the program's first. */
  readonly world?: string;
}

/** Weights are relative and need not add up to anything; an absent weight is 1. */
export interface GeneratorHints {
  /** How often each kind of packet is drawn. */
  readonly kinds?: Readonly<Partial<Record<PacketKind, number>>>;
  /** Values worth aiming at, mixed with near misses of them and the boundary pools. */
  readonly ports?: readonly number[];
  /** IPv4 and IPv6 addresses, and prefixes (`10.0.0.0/8`), in text. */
  readonly addresses?: readonly string[];
  /** MAC addresses, 6 bytes each. */
  readonly macs?: readonly Uint8Array[];
  /** VLAN ids, 0 to 4095: tags are more frequent then, and half of them carry one of these. */
  readonly vlans?: readonly number[];
  /** Kinds of TCP options (IANA "TCP Option Kind Numbers"). */
  readonly tcpOptions?: readonly number[];
  /** Bytes that programs look for: at an offset from the frame's first byte, or anywhere behind the headers. */
  readonly contents?: readonly { readonly bytes: Uint8Array; readonly offset?: number }[];
  /** IPv4 protocol and IPv6 next-header numbers. */
  readonly protocols?: readonly number[];
  /** ICMP types and ICMPv6 types. */
  readonly icmpTypes?: readonly number[];
  readonly icmpv6Types?: readonly number[];
  /** Ingress interfaces to choose from; default: only the loopback device. */
  readonly ingressIfindexes?: readonly number[];
  /** Should stimuli carry XDP metadata at times? Default false. */
  readonly metadata?: boolean;
}

export type PacketKind =
  | 'icmp-echo'
  | 'icmp-other'
  | 'icmpv6-echo'
  | 'icmpv6-other'
  | 'neighbour-discovery'
  | 'tcp'
  | 'udp'
  | 'tcp6'
  | 'udp6'
  | 'arp'
  | 'ip-other'
  | 'ethernet-other'
  | 'noise';

/** What generated packets of a program should aim at: its definition's hints, and the user's. */
export function hintsOf({ definition, hints }: Pick<Program, 'definition' | 'hints'>): GeneratorHints {
  return mergedHints(definition?.hints ?? {}, hints ?? {});
}

/** Both: lists one behind the other; of a single value the latter's. */
export function mergedHints(a: GeneratorHints, b: GeneratorHints): GeneratorHints {
  const merged: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const before = merged[name];
    merged[name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }
  return merged;
}
