/**
 * Does what becomes of a later fragment depend on bytes in which only a first one has ports, or flags? Paths that a later
 * fragment takes part where a condition depends on them: on the bytes themselves, on an entry whose key they are, on what a
 * helper makes of them. Where all of such a group return the same, they decide nothing; where not, other bytes are looked for
 * with which the machine comes to another action.
 */
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';
import { TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import { insteadOf } from '../instead.ts';
import type { Confirmer } from './confirm.ts';
import { dependents, mentioned } from './dependents.ts';
import { narrowedTo } from './one-place.ts';
import type { PropertyRows, Row } from './property-rows.ts';
import { isWitness, usualValues, type Witness, witnessFor } from './witness.ts';

const INVARIANT = 'fragments/ports-read';
const FRAGMENT_HEADER = 44;

/** Bytes behind the IP header, and the protocols of which a first fragment has a header there. */
const PARTS: readonly Part[] = [
  // TCP, UDP, DCCP, SCTP, UDP-Lite.
  { from: 0, to: 4, protocols: [6, 17, 33, 132, 136] },
  { from: 4, to: 8, protocols: [6, 17, 33, 132, 136] },
  { from: 8, to: 12, protocols: [6, 33, 132] },
  { from: 12, to: 20, protocols: [6] },
];
/** What a fragment has at least. */
const LEAST = 8;
/** Paths of a group with one outcome that are tried. */
const MOST_TRIED = 4;
/** Padding behind a frame, by more than a place's bytes: what a program finds from the end of the frame lies elsewhere then. */
const PADDING = 32;
/** What bytes of a key are changed by, in turns. */
const CHANGES = [0xff, 0x01, 0x80] as const;

interface Part {
  readonly from: number;
  readonly to: number;
  readonly protocols: readonly number[];
}

/** Where a later fragment has data and a first one a header, and the condition for it. */
interface Place extends Part {
  readonly header: number;
  /** Says how long the headers in front of it are. */
  readonly length: Term;
  readonly isLater: Term;
}

/** Paths that are the same up to the first condition that depends on a place's bytes. */
interface Group {
  /** By what they come to, so many of them. */
  readonly outcomes: Map<string, Member[]>;
  /** Does one come to something that depends on the bytes itself? */
  open: boolean;
}

interface Member {
  readonly state: PathState;
  /** Of a later fragment that takes it; undefined: nobody knows whether one does. */
  readonly values: Assignment | undefined;
  isTried: boolean;
}

export class FragmentPorts {
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #confirmer: Confirmer;
  readonly #places: readonly Place[];
  readonly #groups = new Map<string, Group>();
  readonly #numbers = new Map<Term, number>();

  constructor(inputs: Inputs, feasibility: Feasibility, confirmer: Confirmer) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#confirmer = confirmer;
    this.#places = placesOf(inputs);
  }

  /** Looks at one path that has ended. */
  async judge(state: PathState, rows: PropertyRows): Promise<void> {
    if (state.end?.kind !== 'exit') return;
    const known = mentioned(state);
    const counted = new Set<number>();
    const behind = new Map<Term, PathState | undefined>();
    // By its header: a fragment of one part is nearly one of the next, and seldom one behind a header of another length.
    const found = new Map<number, Assignment>();
    for (const [number, place] of this.#places.entries()) {
      const bytes = bytesOf(this.#inputs, place);
      if (![...bytes].some((one) => known.has(one))) continue;
      const path = behind.has(place.length)
        ? behind.get(place.length)
        : await this.#behind(state, place.length);
      behind.set(place.length, path);
      if (path === undefined) continue;
      const depends = dependents(this.#inputs, path, bytes);
      if (depends === undefined) continue;
      const row = rows.row(INVARIANT);
      if (!counted.has(place.header)) row.paths++;
      counted.add(place.header);
      if (row.refuted !== undefined || path.knowledge.settle(place.isLater) === path.pool.false) continue;
      const near = found.get(place.header) ?? path.values;
      const feasible = await this.#feasibility.ask(path.knowledge, place.isLater, near);
      if (feasible.answer === 'no') continue;
      const values = feasible.answer === 'yes' ? feasible.values : undefined;
      if (values !== undefined) found.set(place.header, values);
      const group = this.#enter(path, values, number, depends);
      if (isParting(group)) await this.#refute(group, place, row);
    }
  }

  /** A path that reads behind headers of any length, behind those of one. */
  async #behind(state: PathState, length: Term): Promise<PathState | undefined> {
    if (state.open.length === 0) return state;
    return narrowedTo(this.#inputs, state, length, this.#feasibility);
  }

  /** Leaves open what parts, and no packet was found for. */
  finish(rows: PropertyRows): void {
    if ([...this.#groups.values()].some(isParting))
      rows.row(INVARIANT).undecided ??= 'bytes of later fragments are read where first ones have ports';
  }

  #enter(
    state: PathState,
    values: Assignment | undefined,
    place: number,
    depends: (term: Term) => boolean,
  ): Group {
    const conditions = state.constraints.map(({ condition }) => condition);
    const parting = conditions.findIndex(depends);
    const before = parting < 0 ? conditions : conditions.slice(0, parting);
    const key = `${place}: ${before.map((one) => this.#number(one)).join()}`;
    const group: Group = this.#groups.get(key) ?? { outcomes: new Map(), open: false };
    this.#groups.set(key, group);
    const { outcome, isOpen } = this.#outcomeOf(state, depends);
    group.open ||= isOpen;
    const members = group.outcomes.get(outcome) ?? [];
    group.outcomes.set(outcome, members);
    if (members.length < MOST_TRIED) members.push({ state, values, isTried: false });
    return group;
  }

  /** What a path comes to: the action, and where a redirect goes. */
  #outcomeOf(state: PathState, depends: (term: Term) => boolean): { outcome: string; isOpen: boolean } {
    const action = state.end?.kind === 'exit' ? state.end.action : state.pool.false;
    const returned = state.knowledge.only(action);
    const mayRedirect = returned === undefined || isRedirect(this.#inputs, Number(returned));
    const parts = mayRedirect && state.redirect !== undefined ? [action, state.redirect] : [action];
    const known = parts.map((one) => state.knowledge.only(one));
    return {
      outcome: parts.map((one, index) => known[index] ?? `term ${this.#number(one)}`).join(),
      isOpen: parts.some((one, index) => known[index] === undefined && depends(one)),
    };
  }

  #number(term: Term): number {
    let number = this.#numbers.get(term);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(term, number);
    }
    return number;
  }

  async #refute(group: Group, place: Place, row: Row): Promise<void> {
    for (const member of [...group.outcomes.values()].flat()) {
      if (row.refuted !== undefined) return;
      if (member.isTried || member.values === undefined) continue;
      member.isTried = true;
      row.refuted = await this.#otherData(member.state, member.values, place);
    }
  }

  /** Other bytes in the place of the header with which the program comes to another action. */
  async #otherData(
    state: PathState,
    values: Assignment,
    place: Place,
  ): Promise<{ readonly witness: Witness; readonly reason: string } | undefined> {
    const child = state.copy();
    child.end = state.end;
    child.knowledge.add(place.isLater, undefined);
    const usual = usualValues(this.#inputs, child, values);
    const first = usual === undefined ? undefined : witnessFor(this.#inputs, child, usual);
    if (usual === undefined || first === undefined || !isWitness(first)) return undefined;
    const run = this.#confirmer.frameOf(first);
    if (run === undefined) return undefined;
    const { header, from, to } = place;
    for await (const packet of this.#others(state, usual, first.stimulus.packet, place)) {
      const other = this.#confirmer.frameOf(withPacket(first, packet));
      if (other === undefined || !this.#isOtherwise(run, other)) continue;
      if (this.#isFromEnd(first, packet)) continue;
      const data = Buffer.from(packet.subarray(header + from, header + to)).toString('hex');
      const which = from === 0 ? 'first bytes' : `data from byte ${from} on`;
      return {
        witness: first,
        reason: `with ${data} in place of the later fragment's ${which} the program ${insteadOf(this.#inputs.hook, other, run)}`,
      };
    }
    return undefined;
  }

  #isOtherwise(one: Came, other: Came): boolean {
    const goesElsewhere = isRedirect(this.#inputs, one.action) && other.redirect !== one.redirect;
    return other.action !== one.action || goesElsewhere;
  }

  /** Do the bytes decide no more once there is padding behind the frame? Then they are sought from its end, and are no ports. */
  #isFromEnd(first: Witness, packet: Uint8Array): boolean {
    const padded = [first.stimulus.packet, packet].map((one) =>
      this.#confirmer.frameOf(withPacket(first, Buffer.concat([one, new Uint8Array(PADDING)]))),
    );
    const [one, other] = padded;
    return one !== undefined && other !== undefined && !this.#isOtherwise(one, other);
  }

  /** The packet with other bytes: such that a condition on them does not hold, or that something else is looked up. */
  async *#others(
    state: PathState,
    usual: Assignment,
    packet: Uint8Array,
    place: Place,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { pool } = state;
    const bytes = bytesOf(this.#inputs, place);
    const before: Term[] = [];
    for (const { condition } of state.constraints) {
      const unknowns = [...unknownsOf(condition)];
      if (!unknowns.some((one) => bytes.has(one))) continue;
      // The rest of the packet, and the world, stay as they are.
      const fixed = [...new Set([...before, condition].flatMap((one) => [...unknownsOf(one)]))]
        .filter((one) => !bytes.has(one))
        .map((one) => pool.equal(one, pool.constant(one.width, usual.get(one) ?? 0n)));
      const answer = await this.#feasibility.solve([...before, pool.not(condition), ...fixed]);
      before.push(condition);
      if (answer.status !== 'satisfiable') continue;
      const changed = packet.slice();
      for (let at = place.header + place.from; at < place.header + place.to; at++) {
        const value = answer.values.get(this.#inputs.frameByte(at));
        if (value !== undefined) changed[at] = Number(value);
      }
      yield changed;
    }
    const asked = [...state.entries.map(({ key }) => key), ...state.answers.map(({ read }) => read.flat())];
    for (const terms of asked) {
      const own = new Set(terms.flatMap((one) => [...unknownsOf(one)]).filter((one) => bytes.has(one)));
      if (own.size === 0) continue;
      for (const change of CHANGES) {
        const changed = packet.slice();
        for (let at = place.header + place.from; at < place.header + place.to; at++)
          if (own.has(this.#inputs.frameByte(at))) changed[at]! ^= change;
        yield changed;
      }
    }
  }
}

type Came = NonNullable<ReturnType<Confirmer['frameOf']>>;

function withPacket(witness: Witness, packet: Uint8Array): Witness {
  return { ...witness, stimulus: { ...witness.stimulus, packet } };
}

function bytesOf(inputs: Inputs, { header, from, to }: Place): ReadonlySet<Term> {
  return new Set(Array.from({ length: to - from }, (_, index) => inputs.frameByte(header + from + index)));
}

/** Do paths of it come to more than one outcome? */
function isParting({ outcomes, open }: Group): boolean {
  return open || outcomes.size > 1;
}

function isRedirect({ hook }: Inputs, action: number): boolean {
  return action === (hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT);
}

/** Behind up to two tags: IPv4 with and without options, IPv6 with a fragment header. */
function placesOf(inputs: Inputs): Place[] {
  return PARTS.flatMap((part) =>
    [14, 18, 22].flatMap((at) => [
      ...Array.from({ length: 11 }, (_, index) => placeIn4(inputs, part, at, 5 + index)),
      placeIn6(inputs, part, at),
    ]),
  );
}

/** @param at where the IP header lies, and how many words it has */
function placeIn4(inputs: Inputs, part: Part, at: number, words: number): Place {
  const { pool } = inputs;
  const { byte, is, word, tags, isOneOf, holds } = asking(inputs, at);
  const header = at + 4 * words;
  const size = Math.max(LEAST, part.to);
  const offset = pool.concat([pool.extract(byte(at + 6), 0, 5), byte(at + 7)]);
  const total = pool.zeroExtend(32, word(at + 2));
  const length = is(byte(at), 0x40 | words);
  const isLater = pool.all([
    ...tags,
    is(word(at - 2), ETHERTYPE.IPV4),
    length,
    pool.not(is(offset, 0)),
    isOneOf(at + 9, part.protocols),
    holds(header + size),
    pool.not(pool.less(total, pool.constant(32, 4 * words + size))),
    pool.not(pool.less(pool.zeroExtend(32, inputs.length), pool.addConst(total, at))),
  ]);
  return { ...part, header, length, isLater };
}

function placeIn6(inputs: Inputs, part: Part, at: number): Place {
  const { pool } = inputs;
  const { byte, is, word, tags, isOneOf, holds } = asking(inputs, at);
  const header = at + 48;
  const size = Math.max(LEAST, part.to);
  const offset = pool.concat([byte(at + 42), pool.extract(byte(at + 43), 3, 5)]);
  const payload = pool.zeroExtend(32, word(at + 4));
  const length = is(pool.extract(byte(at), 4, 4), 6);
  const isLater = pool.all([
    ...tags,
    is(word(at - 2), ETHERTYPE.IPV6),
    length,
    is(byte(at + 6), FRAGMENT_HEADER),
    pool.not(is(offset, 0)),
    isOneOf(at + 40, part.protocols),
    holds(header + size),
    pool.not(pool.less(payload, pool.constant(32, 8 + size))),
    pool.not(pool.less(pool.zeroExtend(32, inputs.length), pool.addConst(payload, at + 40))),
  ]);
  return { ...part, header, length, isLater };
}

/** What conditions on a frame are made of, and that of its tags. */
function asking(inputs: Inputs, at: number) {
  const { pool } = inputs;
  const byte = (offset: number): Term => inputs.frameByte(offset);
  const is = (term: Term, value: number): Term => pool.equal(term, pool.constant(term.width, value));
  const word = (offset: number): Term => pool.concat([byte(offset), byte(offset + 1)]);
  const isOneOf = (offset: number, numbers: readonly number[]): Term =>
    pool.any(numbers.map((one) => is(byte(offset), one)));
  const holds = (size: number): Term => pool.not(pool.less(inputs.length, pool.constant(16, size)));
  const tags: Term[] = [];
  for (let tag = 12; tag < at - 2; tag += 4) tags.push(pool.any(TPIDS.map((one) => is(word(tag), one))));
  return { byte, is, word, tags, isOneOf, holds };
}
