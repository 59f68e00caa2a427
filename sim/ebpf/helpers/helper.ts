/**
 * What a helper is: one record that says all there is to say about it. The interpreter checks calls by it, the compiler
 * and the analysis rely on it, and whoever wants to know what a helper does asks here, never by number.
 *
 * Nearly every field has to be stated: what a new helper forgot would be wrong without anybody's notice.
 */
import type { MapType } from '../../runtime/maps.ts';
import type { Machine } from '../machine.ts';
import type { ArgumentType } from './argument-types.ts';
import type { ReturnType } from './return-types.ts';

/**
 * Runs a helper. Arguments are the lower halves of r1 to r5 as signed 32-bit numbers; `Machine.high` has the upper
 * ones. Sizes have been checked to lie in the memory that goes with them. Returns the lower half of r0.
 */
export type HelperFunction = (
  machine: Machine,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
) => number;

/** What the verifier asks of those who call (`struct bpf_func_proto`). */
export interface HelperRules {
  readonly hooks: 'both' | 'xdp' | 'tc';
  /** `gpl`: only programs with a GPL-compatible license may call it. */
  readonly license: 'any' | 'gpl';
  /** May its memory arguments point into the packet? */
  readonly packetAccess: boolean;
}

/**
 * What of the world, besides the packet and the maps, decides the result: `hash`: the seed of flow hashes; `cpu`: the
 * CPU that the program runs on; `task`: the process that the frame interrupts; `network`: devices, routes, sockets;
 * `kernel`: what the kernel's own variables hold; `order`: the order in
 * which a kernel goes through a hash map (`elementsOf`).
 */
export type Influence = 'clock' | 'chance' | 'hash' | 'cpu' | 'task' | 'network' | 'kernel' | 'order';

/** What the program has to give back because of a call, or gives back with it (kernel/bpf/verifier.c, `acquire_reference`). */
export type Obligation =
  | 'none'
  /** It must give something back afterwards, even if the helper failed. */
  | 'acquires'
  /** It must give back what comes in r0, unless it has found that to be null. */
  | 'acquires unless null'
  | 'releases'
  /** It gives back what r1 points to; that, and what was made of it, is a number afterwards. */
  | 'releases pointer'
  /** What comes in r0 is r1 in another form, and good for as long as that is (`is_ptr_cast_function`). */
  | 'passes on'
  /** It holds the lock at the address in r1, and may call nothing but what unlocks it. */
  | 'locks'
  | 'unlocks';

/**
 * What outlives a call unseen: with the frame, and lost with it, what the kernel knows of its checksum and its segments (`frame`),
 * its `tunnel`, its `socket`; an event, a signal, a value that is no map's of the run (`outside`); a line (`trace`), which runs show; a `copy` of the frame, and of all
 * that is known of it, that goes out at once.
 */
export type Leaves = 'frame' | 'tunnel' | 'socket' | 'outside' | 'trace' | 'copy';

/** What a call does besides returning, and writing the memory that its arguments say it writes. */
export interface HelperEffects {
  /**
   * What it does by itself to the frame or the `__sk_buff`: `written` bytes stay where they are; after `moved`, packet
   * pointers are void (net/core/filter.c, `bpf_helper_changes_pkt_data`).
   */
  readonly packet: 'untouched' | 'read' | 'written' | 'moved';
  readonly obligation: Obligation;
  readonly dependsOn: readonly Influence[];
  /** May it send the frame to another device, at once or by the action that follows? */
  readonly redirects: boolean;
  /**
   * On what does it leave something that neither frame, context nor maps show? Default: on nothing. Helpers whose effect is stated for
   * symbolic readers note it there.
   */
  readonly leaves?: Leaves;
  /** It leaves nothing where this argument is 0; absent: it always does. */
  readonly leavesUnlessZero?: number;
  /** Do metadata grow by its second argument, negated, where it returns 0? Default: no. */
  readonly adjustsMetadata?: boolean;
  /** Does it go on in another program, where it succeeds? Default: no. */
  readonly leavesProgram?: boolean;
}

/** What a helper reads at an address that the verifier does not look at. */
export interface ReadsAnywhere {
  /** The argument with the address, counted from 0, and the one that says how many units of how many bytes there are. */
  readonly at: number;
  readonly count: number;
  readonly unit: number;
  /** Does it end at a byte that is 0? */
  readonly isText: boolean;
}

export interface Helper {
  /** The number that a call instruction names it by; for kernel functions, which have none, 0. */
  readonly number: number;
  /** `bpf_map_lookup_elem`. */
  readonly name: string;
  readonly arguments: readonly ArgumentType[];
  /** Does it take all five registers, whatever its arguments say? Default: no. */
  readonly variadic?: boolean;
  readonly returns: ReturnType;
  /** The smallest and the largest `int` that comes back, in XDP and in TC programs; absent: any. */
  readonly between?: Readonly<Partial<Record<'xdp' | 'tc', readonly [min: number, max: number]>>>;
  /** Is r2 its flags, and does nothing but one of them, of which there are none, make it fail? It returns 0 otherwise. */
  readonly failsByFlags?: true;
  /** The maps that it takes; absent: those with keys and values of their own. */
  readonly maps?: readonly MapType[];
  /** What the machine answers where it is not what a kernel at work would: a clause for docs/helpers.md. */
  readonly note?: string;
  /**
   * The argument, 0 being the first, that decides whether the verifier puts instructions in the call's place: it does where it
   * knows what it is (`Machine.isInlined`). Default: none.
   */
  readonly inlinedBy?: number;
  /** Default: it reads what its arguments say. */
  readonly readsAnywhere?: ReadsAnywhere;
  readonly rules: HelperRules;
  readonly effects: HelperEffects;
  /**
   * How a symbolic reader may treat a call. `exact`: what it returns and changes follows from arguments, packet and maps
   * alone, by rules that such a reader can state. `any value`: r0, and the memory that it writes, may hold anything that
   * the record permits; nothing else changes. `unsupported`: neither holds, so a path ends here undecided.
   */
  readonly symbolic: 'exact' | 'any value' | 'unsupported';
  readonly run: HelperFunction;
}

/** How many of r1 to r5 a helper looks at. */
export function registersTaken(helper: Helper): number {
  return helper.variadic === true ? 5 : helper.arguments.length;
}

/** The effects of most helpers. */
export const NO_EFFECTS: HelperEffects = {
  packet: 'untouched',
  obligation: 'none',
  dependsOn: [],
  redirects: false,
};

/** The maps that have plain keys and values. */
export const PLAIN_MAPS: readonly MapType[] = [
  'ARRAY',
  'PERCPU_ARRAY',
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
];
