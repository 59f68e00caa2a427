/**
 * Does what becomes of a later fragment depend on bytes in which only a first one has ports? Where a path's conditions look at
 * them, and a later fragment takes it, other bytes there are looked for that the program treats otherwise.
 */
import type { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { type Assignment, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';
import type { Confirmer } from './confirm.ts';
import type { PropertyRows } from './property-rows.ts';
import { isWitness, usualValues, type Witness, witnessFor } from './witness.ts';

const INVARIANT = 'fragments/ports-read';
/** TCP, UDP, DCCP, SCTP, UDP-Lite. */
const WITH_PORTS = [6, 17, 33, 132, 136] as const;
const PORTS = 4;
const FRAGMENT_HEADER = 44;

/** Where a later fragment has data and a first one ports, and the condition for it. */
interface Place {
  readonly ports: number;
  readonly isLater: Term;
}

export class FragmentPorts {
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #confirmer: Confirmer;
  readonly #places: readonly Place[];

  constructor(inputs: Inputs, feasibility: Feasibility, confirmer: Confirmer) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#confirmer = confirmer;
    this.#places = placesOf(inputs);
  }

  async judge(state: PathState, rows: PropertyRows): Promise<void> {
    if (state.end?.kind !== 'exit') return;
    const asked = new Set<string>();
    for (const { condition } of state.constraints)
      for (const { name } of unknownsOf(condition)) asked.add(name);
    for (const place of this.#places) {
      const bytes = [0, 1, 2, 3].map((index) => this.#inputs.frameByte(place.ports + index));
      if (!bytes.some(({ name }) => asked.has(name))) continue;
      const row = rows.row(INVARIANT);
      row.paths++;
      if (row.refuted !== undefined || state.knowledge.settle(place.isLater) === state.pool.false) continue;
      const feasible = await this.#feasibility.ask(state.knowledge, place.isLater, state.values);
      if (feasible.answer === 'no') continue;
      if (feasible.answer === 'unknown') {
        row.undecided ??= feasible.reason;
        continue;
      }
      const found = await this.#otherData(state, feasible.values, new Set(bytes), place);
      if (found !== undefined) row.refuted = found;
      else row.undecided ??= 'bytes of later fragments are read where first ones have ports';
    }
  }

  /** Other bytes in the place of ports with which the program comes to another action. */
  async #otherData(
    state: PathState,
    values: Assignment,
    ports: ReadonlySet<Term>,
    { ports: at, isLater }: Place,
  ): Promise<{ readonly witness: Witness; readonly reason: string } | undefined> {
    const { pool } = state;
    const child = state.copy();
    child.end = state.end;
    child.knowledge.add(isLater, undefined);
    const usual = usualValues(this.#inputs, child, values);
    const first = usual === undefined ? undefined : witnessFor(this.#inputs, child, usual);
    if (usual === undefined || first === undefined || !isWitness(first)) return undefined;
    const run = this.#confirmer.frameOf(first);
    if (run === undefined) return undefined;
    const before: Term[] = [];
    for (const { condition } of state.constraints) {
      const unknowns = [...unknownsOf(condition)];
      if (!unknowns.some((one) => ports.has(one))) continue;
      // The rest of the packet, and the world, stay as they are.
      const fixed = [...new Set([...before, condition].flatMap((one) => [...unknownsOf(one)]))]
        .filter((one) => !ports.has(one))
        .map((one) => pool.equal(one, pool.constant(one.width, usual.get(one) ?? 0n)));
      const answer = await this.#feasibility.solve([...before, pool.not(condition), ...fixed]);
      before.push(condition);
      if (answer.status !== 'satisfiable') continue;
      const packet = first.stimulus.packet.slice();
      for (let index = 0; index < PORTS; index++) {
        const byte = this.#inputs.frameByte(at + index);
        const value = answer.values.get(byte);
        if (value !== undefined) packet[at + index] = Number(value);
      }
      const other = this.#confirmer.frameOf({ ...first, stimulus: { ...first.stimulus, packet } });
      if (other === undefined || other.action === run.action) continue;
      const data = Buffer.from(packet.subarray(at, at + PORTS)).toString('hex');
      const reason = `with ${data} in place of the later fragment's first bytes the program returns ${other.action} instead of ${run.action}`;
      return { witness: first, reason };
    }
    return undefined;
  }
}

/** Behind up to two tags: IPv4 with and without options, IPv6 with a fragment header. */
function placesOf(inputs: Inputs): Place[] {
  const { pool } = inputs;
  const byte = (at: number): Term => inputs.frameByte(at);
  const is = (term: Term, value: number): Term => pool.equal(term, pool.constant(term.width, value));
  const word = (at: number): Term => pool.concat([byte(at), byte(at + 1)]);
  const holds = (size: number): Term => pool.not(pool.less(inputs.length, pool.constant(16, size)));
  const hasPorts = (at: number): Term => pool.any(WITH_PORTS.map((one) => is(byte(at), one)));
  const places: Place[] = [];
  for (const at of [14, 18, 22]) {
    const tags: Term[] = [];
    for (let tag = 12; tag < at - 2; tag += 4) tags.push(pool.any(TPIDS.map((one) => is(word(tag), one))));
    for (let words = 5; words <= 15; words++) {
      const ports = at + 4 * words;
      const offset = pool.concat([pool.extract(byte(at + 6), 0, 5), byte(at + 7)]);
      const total = pool.zeroExtend(32, word(at + 2));
      const isLater = pool.all([
        ...tags,
        is(word(at - 2), ETHERTYPE.IPV4),
        is(byte(at), 0x40 | words),
        pool.not(is(offset, 0)),
        hasPorts(at + 9),
        holds(ports + 8),
        pool.not(pool.less(total, pool.constant(32, 4 * words + 8))),
        pool.not(pool.less(pool.zeroExtend(32, inputs.length), pool.addConst(total, at))),
      ]);
      places.push({ ports, isLater });
    }
    const ports = at + 48;
    const offset = pool.concat([byte(at + 42), pool.extract(byte(at + 43), 3, 5)]);
    const payload = pool.zeroExtend(32, word(at + 4));
    const isLater = pool.all([
      ...tags,
      is(word(at - 2), ETHERTYPE.IPV6),
      is(pool.extract(byte(at), 4, 4), 6),
      is(byte(at + 6), FRAGMENT_HEADER),
      pool.not(is(offset, 0)),
      hasPorts(at + 40),
      holds(ports + 8),
      pool.not(pool.less(payload, pool.constant(32, 16))),
      pool.not(pool.less(pool.zeroExtend(32, inputs.length), pool.addConst(payload, at + 40))),
    ]);
    places.push({ ports, isLater });
  }
  return places;
}
