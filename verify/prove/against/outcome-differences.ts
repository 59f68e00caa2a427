/** In what the ends of two paths over the same inputs may differ, as conditions over these inputs. */
import { blockByte, packetByte } from '../../../sim/ebpf/symbolic/access.ts';
import { contextByte } from '../../../sim/ebpf/symbolic/context-fields.ts';
import type { Inputs } from '../../../sim/ebpf/symbolic/inputs.ts';
import type { Knowledge } from '../../../sim/ebpf/symbolic/knowledge.ts';
import type { PathState } from '../../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term, unknownsOf } from '../../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../../sim/ebpf/symbolic/term-pool.ts';
import type { Hook } from '../../../sim/runtime/actions.ts';
import { DELIVERY, type Delivery, deliveryOf } from '../../../sim/runtime/delivery.ts';
import { actDifferences } from './act-differences.ts';

/** A path that has ended, and the inputs of its program. */
export interface Ended {
  readonly inputs: Inputs;
  readonly state: PathState;
}

export interface OutcomeDifference {
  /** `action`, `byte 12 of the packet`, `map flows`. */
  readonly what: string;
  /** When they differ. */
  readonly condition: Term;
  /** Would no run show it? `doubtful`: nor is it certain that they differ then. Absent: a run would. */
  readonly unseen?: 'certain' | 'doubtful';
}

/** Nothing can be said about what follows. */
export class NotCompared extends Error {}

/**
 * @param second its knowledge is that of both
 * @throws {NotCompared} where ends cannot be held against each other
 */
export function outcomeDifferences(first: Ended, second: Ended): OutcomeDifference[] {
  const { end: a } = first.state;
  const { end: b } = second.state;
  const { pool } = first.inputs;
  for (const end of [a, b]) if (end?.kind === 'not followed') throw new NotCompared(end.reason);
  if (a?.kind !== 'exit' || b?.kind !== 'exit') {
    return a?.kind === b?.kind
      ? []
      : [{ what: 'whether the machine stops the program', condition: pool.true }];
  }
  if (first.state.leaks || second.state.leaks) throw new NotCompared('an address leaves as a number');
  const found = new Differences(first.inputs, second.state.knowledge);
  found.words('action', [a.action], [b.action]);
  const action = second.state.knowledge.only(a.action);
  const { hook } = first.inputs;
  const delivery = action === undefined ? undefined : deliveryOf(hook, Number(BigInt.asIntN(32, action)));
  const isOneOf = (...wanted: readonly Delivery[]): Term =>
    delivery === undefined ? isDelivered(pool, hook, a.action, wanted) : pool.true;
  // Bytes of a frame that is dropped are nobody's.
  if (delivery !== DELIVERY.dropped)
    frames(found.where(isOneOf(DELIVERY.passed, DELIVERY.sentBack, DELIVERY.redirected)), first, second);
  if (delivery === undefined || delivery === DELIVERY.redirected)
    targets(found.where(isOneOf(DELIVERY.redirected)), first, second);
  maps(found, first, second);
  variables(found, first, second);
  storages(found, first, second);
  for (const { what, condition, isCertain, isSeen } of actDifferences(
    pool,
    first.state.acts,
    second.state.acts,
    delivery === DELIVERY.dropped,
  ))
    found.add(what, condition, isCertain ? (isSeen ? undefined : 'certain') : 'doubtful');
  return found.all;
}

/** Actions that mean something at one of the hooks. No other one means anything else than this. */
const ACTIONS = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
const ANY_OTHER = 9;

/** Whether an action that is computed sends the frame one of these ways. */
function isDelivered(pool: TermPool, hook: Hook, action: Term, wanted: readonly Delivery[]): Term {
  const isWanted = (one: number): boolean => wanted.includes(deliveryOf(hook, one));
  const others = isWanted(ANY_OTHER);
  const apart = ACTIONS.filter((one) => isWanted(one) !== others);
  const returned = pool.extract(action, 0, 32);
  const isNone = pool.all(apart.map((one) => pool.not(pool.equal(returned, pool.constant(32, one)))));
  return others ? isNone : pool.not(isNone);
}

/** Collects conditions; what is equal by itself is left out. */
class Differences {
  readonly all: OutcomeDifference[];
  readonly #inputs: Inputs;
  readonly #knowledge: Knowledge;
  /** Differences count only where this holds. */
  readonly #where: Term;

  constructor(
    inputs: Inputs,
    knowledge: Knowledge,
    where: Term = inputs.pool.true,
    all: OutcomeDifference[] = [],
  ) {
    this.#inputs = inputs;
    this.#knowledge = knowledge;
    this.#where = where;
    this.all = all;
  }

  /** Collects into the same list what counts only under a condition. */
  where(condition: Term): Differences {
    return new Differences(this.#inputs, this.#knowledge, condition, this.all);
  }

  only(term: Term): number | undefined {
    const only = this.#knowledge.only(term);
    return only === undefined ? undefined : Number(only);
  }

  add(what: string, differs: Term, unseen?: OutcomeDifference['unseen']): void {
    const condition = this.#inputs.pool.and(this.#where, differs);
    const settled = this.#knowledge.settle(condition);
    if (isConst(settled) && settled.value === 0n) return;
    this.all.push({ what, condition, ...(unseen === undefined ? {} : { unseen }) });
  }

  /** Terms of the same width in pairs, put together where they lie side by side, so that halves of one word meet. */
  words(
    what: string,
    a: readonly Term[],
    b: readonly Term[],
    inside: Term = this.#inputs.pool.true,
    unseen?: OutcomeDifference['unseen'],
  ): void {
    const { pool } = this.#inputs;
    for (let at = 0; at < a.length; ) {
      if (a[at] === b[at]) {
        at++;
        continue;
      }
      let end = at + 1;
      while (end < a.length && end - at < 8 && a[end] !== b[end]) end++;
      const [one, other] = [pool.concat(a.slice(at, end)), pool.concat(b.slice(at, end))];
      this.add(what, pool.and(inside, pool.not(pool.equal(one, other))), unseen);
      at = end;
    }
  }

  /**
   * Bytes of which only those before a length count.
   * @param all their places, in order; those that are left out are the same in both
   */
  bytesBefore(
    what: (at: number) => string,
    length: Term,
    all: Iterable<number>,
    a: (at: number) => Term,
    b: (at: number) => Term,
  ): void {
    const { pool } = this.#inputs;
    const least = Number(this.#knowledge.range(length).min);
    let done = 0;
    for (const at of all) {
      if (at < done || a(at) === b(at)) continue;
      let end = at + 1;
      while (end < least && end - at < 8 && a(end) !== b(end)) end++;
      const places = Array.from({ length: end - at }, (_, index) => at + index);
      const inside = end <= least ? pool.true : pool.less(pool.constant(64, at), length);
      this.words(what(at), places.map(a), places.map(b), inside);
      done = end;
    }
  }
}

function frames(found: Differences, first: Ended, second: Ended): void {
  const { pool } = first.inputs;
  const length = ({ state: { packet } }: Ended): Term => pool.subtract(packet.end, packet.data);
  const [long, other] = [length(first), length(second)];
  found.add('the length of the packet', pool.not(pool.equal(long, other)));
  const starts = [first, second].map(({ state }) => found.only(state.packet.data));
  const [from, to] = starts;
  if (from === undefined || to === undefined)
    throw new NotCompared('the frame begins at a place that is not known');
  const most = Number(second.state.knowledge.range(long).max);
  found.bytesBefore(
    (at) => `byte ${at} of the packet`,
    long,
    from === to ? writtenPlaces(first, second, from, most) : range(most),
    (at) => packetByte(first.inputs, first.state, from + at),
    (at) => packetByte(second.inputs, second.state, to + at),
  );
  if (first.inputs.hook === 'xdp') metadata(found, first, second, from, to);
  else context(found, first, second);
}

/** Where either program wrote into a frame that begins at the same place in both: a long one is looked at nowhere else. */
function writtenPlaces(first: Ended, second: Ended, from: number, most: number): number[] {
  const written = [first, second].flatMap(({ state }) => state.packet.bytes.written());
  return [...new Set(written)]
    .map((at) => at - from)
    .filter((at) => at >= 0 && at < most)
    .sort((a, b) => a - b);
}

function* range(count: number): Generator<number> {
  for (let at = 0; at < count; at++) yield at;
}

function metadata(found: Differences, first: Ended, second: Ended, from: number, to: number): void {
  const { pool } = first.inputs;
  const size = ({ state: { packet } }: Ended): Term => pool.subtract(packet.data, packet.meta);
  const [long, other] = [size(first), size(second)];
  found.add('the length of the metadata', pool.not(pool.equal(long, other)));
  found.bytesBefore(
    () => 'metadata',
    long,
    range(Math.min(255, Number(second.state.knowledge.range(long).max))),
    (at) => packetByte(first.inputs, first.state, from - 1 - at),
    (at) => packetByte(second.inputs, second.state, to - 1 - at),
  );
}

/** Fields of the `__sk_buff` that outcomes of runs show. */
const SHOWN_FIELDS = /^(mark|priority|cb\b|tstamp$)/;

function context(found: Differences, first: Ended, second: Ended): void {
  const { pool } = first.inputs;
  const [network, other] = [first.state.networkOffset, second.state.networkOffset];
  found.words('where the network header is taken to be', [network], [other], pool.true, 'certain');
  const isForgotten = [first, second].map(({ state }) => state.hash === 'forgotten');
  if (isForgotten[0] !== isForgotten[1]) found.add('__sk_buff.hash', pool.true, 'certain');
  const written = new Set([...first.state.context.written(), ...second.state.context.written()]);
  const fields = new Set([...written].map((at) => at & ~3));
  for (const field of fields) {
    const [a, b] = [first, second].map(({ inputs, state }) =>
      [3, 2, 1, 0].map((index) => contextByte(inputs, state, field + index)),
    );
    const name = first.inputs.layout.field(field);
    found.words(`__sk_buff.${name}`, a!, b!, pool.true, SHOWN_FIELDS.test(name) ? undefined : 'certain');
  }
}

function targets(found: Differences, first: Ended, second: Ended): void {
  const [a, b] = [first.state.redirect, second.state.redirect];
  if (a === undefined && b === undefined) return;
  const isKnown = a !== undefined && b !== undefined;
  if (isKnown && first.state.via?.what !== second.state.via?.what)
    throw new NotCompared('one redirects to a device, the other to something else of the same number');
  const [flags, others] = [first.state.via?.flags, second.state.via?.flags];
  if (flags !== undefined && others !== undefined)
    found.words('flags of the redirect', [flags], [others], first.inputs.pool.true, 'certain');
  if (first.state.via?.what === 'neighbour' && second.state.via?.what === 'neighbour')
    nextHops(found, first, second);
  if (a === undefined || b === undefined) found.add('the target of the redirect', first.inputs.pool.true);
  else found.words('the target of the redirect', [a], [b]);
}

const FAMILY_SIZE = 4;
/** Families, and the bytes of their addresses: of any other one the kernel drops the frame. */
const ADDRESS_SIZES = [
  [2, 4],
  [10, 16],
] as const;

/** Of `struct bpf_redir_neigh`, what the kernel looks at. */
function nextHops(found: Differences, first: Ended, second: Ended): void {
  const { pool } = first.inputs;
  const what = 'the next hop of the redirect';
  const [one, other] = [first.state.via?.next, second.state.via?.next];
  if (one === undefined && other === undefined) return;
  if (one === undefined || other === undefined) {
    found.add(what, pool.true, 'certain');
    return;
  }
  const familyOf = (bytes: readonly Term[]): Term => pool.concat(bytes.slice(0, FAMILY_SIZE).reverse());
  const family = familyOf(one);
  found.words(what, [family], [familyOf(other)], pool.true, 'certain');
  for (const [number, size] of ADDRESS_SIZES) {
    const isFamily = pool.equal(family, pool.constant(8 * FAMILY_SIZE, number));
    const [from, to] = [FAMILY_SIZE, FAMILY_SIZE + size];
    found.words(what, one.slice(from, to), other.slice(from, to), isFamily, 'certain');
  }
}

/** Entries that either path has asked for: those of the first come first in the second, in the same order. */
function maps(found: Differences, first: Ended, second: Ended): void {
  const { pool } = first.inputs;
  for (const entry of first.state.entries) {
    if (second.inputs.mapOf(entry.map) === undefined && isChanged(first, entry))
      found.add(unlike(first, second, entry.map), pool.true);
  }
  const ordinals = new Map<number, number>();
  for (const entry of second.state.entries) {
    const ordinal = ordinals.get(entry.map) ?? 0;
    ordinals.set(entry.map, ordinal + 1);
    const { name } = second.inputs.machine.maps[entry.map]!;
    const number = second.inputs.mapNumber(entry.map);
    const theirs = first.inputs.machine.maps[number];
    if (theirs === undefined) {
      if (isChanged(second, entry)) found.add(unlike(second, first, entry.map), pool.true);
      continue;
    }
    const before = first.state.entries.filter((one) => one.map === number)[ordinal];
    const was = second.state.knowledge.settle(entry.wasThere);
    const [isThere, isThereToo] = [before?.isThere ?? was, entry.isThere];
    if (isThere !== isThereToo) {
      found.words(`an entry of map ${name}`, [isThere], [isThereToo]);
      continue;
    }
    if (isThere !== pool.true) continue;
    const unknown = second.inputs.entryName(entry.map, ordinal);
    const places = Array.from({ length: theirs.valueSize }, (_, at) => at);
    found.words(
      `a value of map ${name}`,
      places.map((at) =>
        before === undefined
          ? pool.unknown(8, `${unknown}.${at}`)
          : blockByte(first.inputs, first.state, before.block, at),
      ),
      places.map((at) => blockByte(second.inputs, second.state, entry.block, at)),
    );
  }
  const numbers = new Set([
    ...[...first.state.pushed.keys()].map((map) => first.inputs.mapNumber(map)),
    ...[...second.state.pushed.keys()].map((map) => second.inputs.mapNumber(map)),
  ]);
  for (const number of numbers) {
    const other = second.inputs.mapOf(number);
    const mine = first.state.pushed.get(number) ?? [];
    const yours = other === undefined ? [] : (second.state.pushed.get(other) ?? []);
    const what = 'what is put into a queue';
    if (mine.length !== yours.length) found.add(what, pool.true, 'certain');
    else found.words(what, mine.flat(), yours.flat(), pool.true, 'certain');
  }
}

/** A map of one program without a counterpart in the other. */
function unlike(own: Ended, other: Ended, map: number): string {
  const { name } = own.inputs.machine.maps[map]!;
  const isThere = other.inputs.machine.maps.some((one) => one.name === name);
  return `map ${name} (${isThere ? 'declared differently' : 'only one has it'})`;
}

function isChanged({ state }: Ended, { block, isThere, wasThere }: PathState['entries'][number]): boolean {
  return state.blocks[block]!.memory.written().length > 0 || isThere !== state.knowledge.settle(wasThere);
}

/** Variables that both have, by name: where each lies is the compiler's business. */
function variables(found: Differences, first: Ended, second: Ended): void {
  for (const [map, { global, name }] of first.inputs.machine.object.maps.entries()) {
    if (global === undefined || global.readOnly) continue;
    const other = second.inputs.mapOf(map);
    const theirs = other === undefined ? undefined : second.inputs.machine.object.maps[other]!.global;
    const [mine, yours] = [blockOf(first, map), other === undefined ? undefined : blockOf(second, other)];
    for (const [variable, { offset, size }] of global.variables) {
      const same = theirs?.variables.get(variable);
      if (other === undefined || same?.size !== size) {
        unmatched(found, first, map, variable, same !== undefined);
        continue;
      }
      if (mine === undefined && yours === undefined) continue;
      const places = Array.from({ length: size }, (_, at) => at);
      found.words(
        `${name}: ${variable}`,
        places.map((at) => globalNow(first, map, mine, offset + at)),
        places.map((at) => globalNow(second, other, yours, same.offset + at)),
      );
    }
  }
  onlyInSecond(found, first, second);
}

/** Variables of the second program that the first one has none of, or of another size. */
function onlyInSecond(found: Differences, first: Ended, second: Ended): void {
  for (const [map, { global }] of second.inputs.machine.object.maps.entries()) {
    if (global === undefined || global.readOnly) continue;
    const theirs = first.inputs.machine.object.maps[second.inputs.mapNumber(map)]?.global;
    for (const [variable, { size }] of global.variables) {
      const same = theirs?.variables.get(variable);
      if (same?.size !== size) unmatched(found, second, map, variable, same !== undefined);
    }
  }
}

/** What only one program has is held against nothing: that it is changed is the difference, as of maps. */
function unmatched(found: Differences, own: Ended, map: number, variable: string, isThere: boolean): void {
  const { global } = own.inputs.machine.object.maps[map]!;
  const { offset, size } = global!.variables.get(variable)!;
  const block = blockOf(own, map);
  if (block === undefined) return;
  const isSet = Array.from({ length: size }, (_, at) => offset + at).some(
    (at) => globalNow(own, map, block, at) !== own.inputs.globalByte(map, at),
  );
  const why = isThere ? 'declared differently' : 'only one has it';
  if (isSet) found.add(`variable ${variable} (${why})`, own.inputs.pool.true);
}

/** Values that belong to sockets, tasks and the like, or to another CPU: by the answers of the helpers that led there. */
function storages(found: Differences, first: Ended, second: Ended): void {
  const names = new Set(
    [first, second].flatMap(({ state }) => state.blocks.filter(isStorage).map(({ name }) => name!)),
  );
  for (const name of names) {
    const [mine, yours] = [first, second].map(({ state }) =>
      state.blocks.findIndex((one) => one.name === name),
    );
    const size = Math.max(first.state.blocks[mine!]?.size ?? 0, second.state.blocks[yours!]?.size ?? 0);
    const places = Array.from({ length: size }, (_, at) => at);
    const bytesOf = ({ inputs, state }: Ended, block: number): Term[] =>
      places.map((at) =>
        block < 0 ? inputs.pool.unknown(8, `${name}.${at}`) : blockByte(inputs, state, block, at),
      );
    found.words(`a value that ${name.split('.')[0]} found`, bytesOf(first, mine!), bytesOf(second, yours!));
  }
}

function isStorage({ name, memory }: PathState['blocks'][number]): boolean {
  return name !== undefined && STORAGE.test(name) && memory.written().length > 0;
}

const STORAGE = /^(second\.)?bpf_(\w+_storage_get|map_lookup_percpu_elem)\b/;

function blockOf({ state }: Ended, map: number): number | undefined {
  const block = state.blocks.findIndex((one) => one.what === 'globals' && one.map === map);
  return block < 0 ? undefined : block;
}

function globalNow({ inputs, state }: Ended, map: number, block: number | undefined, at: number): Term {
  return block === undefined ? inputs.globalByte(map, at) : blockByte(inputs, state, block, at);
}

/** Does a condition hang on bytes of the stack that nobody wrote? */
export function isUnwritten(condition: Term): boolean {
  for (const { name } of unknownsOf(condition)) if (name.startsWith('unwritten.')) return true;
  return false;
}
