/**
 * One path through a program: registers, memory, what it knows of the inputs, and the decisions that it took.
 *
 * Whatever runs on a path asks it with `decide` and `number`. Where the path does not know the answer, these throw: the
 * explorer then makes one path for each answer that is possible, and lets each do the same step again. So a step must
 * ask before it changes anything.
 */

import type { Hook } from '../../runtime/actions.ts';
import { type BufferFront, NEW_FRONT } from '../helpers/buffer-front.ts';
import type { Act } from './acts.ts';
import { type Constraint, Knowledge, type Origin } from './knowledge.ts';
import { PathMemory } from './path-memory.ts';
import type { Value } from './path-value.ts';
import type { StatedTunnel } from './stated-tunnel.ts';
import { type Assignment, isConst, type Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

/** The path has to know whether a condition holds. */
export class Split extends Error {
  readonly condition: Term;
  constructor(condition: Term) {
    super('split');
    this.condition = condition;
  }
}

/** The path has to know which number a term is. */
export class Enumerate extends Error {
  readonly term: Term;
  constructor(term: Term) {
    super('enumerate');
    this.term = term;
  }
}

/** The path cannot be followed further, though the program can. */
export class NotFollowed extends Error {}

/** The program does what the verifier forbids. */
export class PathViolation extends Error {}

/** A jump that went one of its ways. */
export interface Decision {
  readonly program: number;
  readonly slot: number;
  readonly taken: boolean;
  readonly before: Decision | undefined;
}

/** Where a function of the program goes on when a call returns. */
export interface CallFrame {
  readonly program: number;
  /** The slot behind the call. */
  readonly returnTo: number;
  /** r6 to r9. */
  readonly saved: readonly (Value | undefined)[];
  /** Of a function that a helper calls. */
  readonly callback: LoopRound | ElementVisit | undefined;
}

/** One of the rounds of `bpf_loop`. */
export interface LoopRound {
  readonly kind: 'round';
  readonly target: number;
  readonly round: bigint;
  readonly rounds: Term;
  readonly context: Value;
}

/** One of the elements that `bpf_for_each_map_elem` goes through. */
export interface ElementVisit {
  readonly kind: 'element';
  readonly target: number;
  readonly map: number;
  readonly context: Value;
  /** How manieth of the elements, from 1 on, and of the path's walks through maps, from 0 on. */
  readonly visited: number;
  readonly walk: number;
  /** Entries that the path had asked for before, by their position in `entries`, and that are to be visited. */
  readonly known: readonly number[];
  /** Others that were visited. */
  readonly others: number;
}

/** Memory besides stack and packet. */
export interface Block {
  readonly what: 'map value' | 'map key' | 'sample' | 'globals' | 'kernel variable';
  readonly map: number;
  /** Bytes. */
  readonly size: number;
  readonly writable: boolean;
  /** May it be the same memory as another block? Then nothing is written there. */
  readonly mayBeAnother?: boolean;
  /** Its unknown bytes are called so; undefined: it starts as zeros. */
  readonly name: string | undefined;
  readonly memory: PathMemory;
  /** Nobody knows whether the map has used this memory again since its entry went. */
  readonly isLost?: true;
}

/** An entry of a map that the path has asked for. */
export interface MapEntryState {
  readonly map: number;
  /** Bytes of the key. */
  readonly key: readonly Term[];
  /** Was it there when the packet came? A condition. */
  readonly wasThere: Term;
  /** Is it there now? */
  readonly isThere: Term;
  /** Of a prefix: was it asked for by a change, which means just this one? Absent: by a lookup, which finds shorter ones, too. */
  readonly isExact?: boolean;
  /** Of its value as it is now: an update may have put another in the place of the first. */
  readonly block: number;
}

/** Blocks of a map's entries that are gone, which the map uses again. */
export interface GoneBlocks {
  /** What the last update put out of its place: a preallocated hash takes it for the next one. */
  readonly spare: number | undefined;
  /** Of deleted entries, and those of other maps: the last one first. */
  readonly free: readonly number[];
}

/** What a helper is asked: the same question gets the same answer. */
export interface Question {
  /** What kinds of arguments it has, and how many bytes it reads through each. */
  readonly shape: string;
  readonly numbers: readonly Term[];
  readonly read: readonly (readonly Term[])[];
}

/** What a helper answered that no program can foresee. */
export interface Answer {
  readonly helper: string;
  /** Begins the names of its unknowns. */
  readonly name: string;
  readonly question: Question;
  /** The path's how manieth question. */
  readonly ordinal: number;
  readonly result: Term | undefined;
  /** Bytes that it read through its arguments, and that it wrote. */
  readonly read: readonly (readonly Term[])[];
  readonly written: readonly (readonly Term[])[];
  readonly arguments: readonly Term[];
  readonly open: OpenAnswer;
}

/** What an answer left unknown: a machine that runs the program says what it is. */
export interface OpenAnswer {
  /** The lowest bits of r0: an unknown. */
  readonly number?: Term;
  /** Is r0 null? An unknown of one bit. */
  readonly isNull?: Term;
  /** Where r0 points to: a sum of one unknown, where that is not known. */
  readonly address?: Term;
  /** Unknown bytes from where r0 points to. */
  readonly behind?: readonly Term[];
  /** Of each of `written`, the argument that points there. */
  readonly through: readonly number[];
  /** Between which numbers r0 lies, as a signed int. */
  readonly between?: readonly [min: number, max: number];
}

/** A byte of the frame as it came, at an address that is a term. */
export interface OpenByte {
  readonly address: Term;
  readonly byte: Term;
}

export interface PacketState {
  /** Addresses: of the frame, behind it, and of its metadata. */
  data: Term;
  end: Term;
  meta: Term;
  generation: number;
  readonly bytes: PathMemory;
}

export type PathEnd =
  | { readonly kind: 'exit'; readonly action: Term }
  | { readonly kind: 'not followed'; readonly reason: string }
  | { readonly kind: 'violation'; readonly reason: string };

export class PathState {
  readonly pool: TermPool;
  readonly hook: Hook;
  knowledge: Knowledge;
  /**
   * What is known of frames of any length, where `knowledge` has a limit; undefined: it has none, or nobody asks. Where only
   * the limit settles a condition, the path is split as if it were open: longer frames may go the other way.
   */
  unlimited: Knowledge | undefined;
  /** Do only frames beyond the limit come here? */
  isLonger = false;
  /** Values under which all that is known holds; undefined while nobody has found any. */
  values: Assignment | undefined;
  /** Why it is not certain that any input leads here. */
  doubt: string | undefined;
  program: number;
  slot = 0;
  readonly registers: (Value | undefined)[];
  readonly frames: CallFrame[];
  readonly stacks: PathMemory[];
  readonly packet: PacketState;
  /** Fields of the context that were written, and those that were read before. */
  readonly context: PathMemory;
  readonly blocks: Block[];
  entries: readonly MapEntryState[];
  /** By map. */
  readonly gone: Map<number, GoneBlocks> = new Map();
  answers: readonly Answer[];
  /** What it did that nothing else here shows, in this order. */
  acts: readonly Act[];
  /** What helpers answered a program before this one, on the same inputs. */
  foretold: readonly Answer[] | undefined;
  /** Bytes that were read where the path does not know the place. */
  open: readonly OpenByte[] = [];
  decisions: Decision | undefined;
  /** Of a helper or kernel function; undefined: there was none yet. */
  firstCall: Origin | undefined;
  /** Instructions so far. */
  steps = 0;
  /** Conditions that nobody knew the answer to, so that the path was split. */
  splits = 0;
  /** Terms that were made for this path: what several paths have in common counts for the first of them. */
  terms = 0;
  tailCalls = 0;
  /** The target that the last redirect stored. */
  redirect: Term | undefined;
  /** What `redirect` is the number of, and the flags that decide where at the device the frame goes. */
  via:
    | {
        readonly what: 'device' | 'peer' | 'neighbour' | 'CPU' | 'socket';
        readonly flags: Term | undefined;
        /** Bytes of the neighbour's parameters; absent: the routing table says who is next. */
        readonly next?: readonly Term[];
      }
    | undefined;
  /** What the last redirect returned where its helper did not know the flags, and why. */
  refusal: { readonly returned: number; readonly reason: string } | undefined;
  /** Queues that were written, and how often. */
  readonly pushed: Map<number, readonly (readonly Term[])[]> = new Map();
  /** Ring buffers: how many bytes of each are unread, where the path has put something in. */
  readonly rings: Map<number, Term> = new Map();
  /** How often the path has gone through a map, and the maps of which it knows every entry. */
  walks = 0;
  wholly: ReadonlySet<number> = new Set();
  /** XDP: how far in front the frame with its metadata has begun so far; undefined: it never moved. */
  foremost: Term | undefined;
  /** TC: length of what lies before the network header. */
  networkOffset: Term;
  /** TC: `skb->mac_len`: 0 until a helper says how long the MAC header is. */
  macLength: Term;
  /** TC: what lies in front of the frame in its buffer. */
  front: BufferFront = NEW_FRONT;
  /** TC: was it put into a tunnel that the kernel knows of (`skb->encapsulation`)? */
  encapsulated = false;
  /** TC: how many checksums count as checked (`checkedBehind`). */
  checkedSums = 0;
  /** TC: the tunnel key that the program has stated; undefined: there is what the frame came with. */
  tunnel: StatedTunnel | undefined;
  /** TC: what `bpf_get_hash_recalc` finds: whatever the frame came with, the context's field, or nothing. */
  hash: 'as it came' | 'looked at' | 'known' | 'forgotten' = 'as it came';
  /** Notes: what the proof takes for granted because of this path. */
  assumptions: readonly string[];
  /** The first instruction that read bytes of the stack that nobody wrote. */
  readsUnwritten: Origin | undefined;
  /** Did an address become a number that leaves? */
  leaks = false;
  end: PathEnd | undefined;

  constructor(
    from:
      | PathState
      | {
          readonly pool: TermPool;
          readonly hook: Hook;
          readonly program: number;
          readonly packet: PacketState;
          readonly knowledge?: Knowledge;
        },
  ) {
    this.pool = from.pool;
    this.hook = from.hook;
    this.program = from.program;
    const { packet } = from;
    this.packet = { ...packet, bytes: packet.bytes.copy() };
    if (!(from instanceof PathState)) {
      this.knowledge = from.knowledge ?? new Knowledge(from.pool);
      this.values = new Map();
      this.registers = new Array(11).fill(undefined);
      this.frames = [];
      this.stacks = [new PathMemory()];
      this.context = new PathMemory();
      this.blocks = [];
      this.entries = [];
      this.answers = [];
      this.acts = [];
      this.assumptions = [];
      this.networkOffset = from.pool.constant(64, 14);
      this.macLength = from.pool.constant(64, 0);
      return;
    }
    this.knowledge = from.knowledge.copy();
    this.unlimited = from.unlimited?.copy();
    this.isLonger = from.isLonger;
    this.values = from.values;
    this.doubt = from.doubt;
    this.slot = from.slot;
    this.registers = [...from.registers];
    this.frames = [...from.frames];
    this.stacks = from.stacks.map((one) => one.copy());
    this.context = from.context.copy();
    this.blocks = from.blocks.map((one) => ({ ...one, memory: one.memory.copy() }));
    this.entries = from.entries;
    for (const [map, blocks] of from.gone) this.gone.set(map, blocks);
    this.answers = from.answers;
    this.acts = from.acts;
    this.foretold = from.foretold;
    this.open = from.open;
    this.decisions = from.decisions;
    this.firstCall = from.firstCall;
    this.steps = from.steps;
    this.splits = from.splits;
    this.terms = from.terms;
    this.tailCalls = from.tailCalls;
    this.redirect = from.redirect;
    this.via = from.via;
    this.refusal = from.refusal;
    for (const [map, values] of from.pushed) this.pushed.set(map, values);
    for (const [map, bytes] of from.rings) this.rings.set(map, bytes);
    this.walks = from.walks;
    this.wholly = from.wholly;
    this.foremost = from.foremost;
    this.networkOffset = from.networkOffset;
    this.macLength = from.macLength;
    this.front = from.front;
    this.encapsulated = from.encapsulated;
    this.checkedSums = from.checkedSums;
    this.tunnel = from.tunnel;
    this.hash = from.hash;
    this.assumptions = from.assumptions;
    this.readsUnwritten = from.readsUnwritten;
    this.leaks = from.leaks;
  }

  copy(): PathState {
    return new PathState(this);
  }

  /** Takes a condition for true. */
  learn(condition: Term): void {
    // Where the limit says so already, nothing is new but for longer frames.
    const isKnown = this.unlimited !== undefined && isConst(this.knowledge.settle(condition));
    if (!isKnown) this.knowledge.add(condition, this.origin);
    this.unlimited?.add(condition, this.origin);
  }

  /** The same with frames beyond the limit only. */
  beyondLimit(): PathState {
    const copy = this.copy();
    if (copy.unlimited !== undefined) copy.knowledge = copy.unlimited;
    copy.unlimited = undefined;
    copy.isLonger = true;
    return copy;
  }

  get origin(): Origin {
    return { program: this.program, slot: this.slot };
  }

  get constraints(): readonly Constraint[] {
    return this.knowledge.constraints;
  }

  /** Does the condition hold? @throws {Split} where the path does not know */
  decide(condition: Term): boolean {
    const settled = this.knowledge.settle(condition);
    if (isConst(settled) && this.unlimited !== undefined) {
      if (!isConst(this.unlimited.settle(condition))) throw new Split(condition);
    }
    if (isConst(settled)) return settled.value === 1n;
    throw new Split(settled);
  }

  /** The number that a term is. @throws {Enumerate} where the path knows of several */
  number(term: Term): bigint {
    const only = this.knowledge.only(term);
    if (only !== undefined) return only;
    throw new Enumerate(term);
  }

  /** The same as a signed JavaScript number of 32 bits. */
  int(term: Term): number {
    return Number(BigInt.asIntN(32, this.number(this.pool.extract(term, 0, 32))));
  }

  assume(sentence: string): void {
    if (!this.assumptions.includes(sentence)) this.assumptions = [...this.assumptions, sentence];
  }

  /** The path's decisions, the first one first. */
  trail(): Decision[] {
    const all: Decision[] = [];
    for (let one = this.decisions; one !== undefined; one = one.before) all.push(one);
    return all.reverse();
  }
}
