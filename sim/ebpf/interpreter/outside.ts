/**
 * What a run does that neither its action nor the bytes of its packet show: what it sends (copies, events, signals), what
 * goes along with the packet (`__sk_buff`, tunnel key, socket, hash), and in which way a redirect goes.
 */

import type { BpfObject } from '../bpf-object.ts';
import { calledHelpers } from '../called-helpers.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { CALL, storeSize } from '../instruction.ts';
import type { Machine } from '../machine.ts';
import type { MapContent } from '../maps/live-map.ts';
import { CONTEXT_BASE } from '../memory.ts';
import { sourceAt } from '../object.ts';
import { socketText, tunnelText, vlanText, word } from './carried.ts';
import { HELPER } from './outside-helpers.ts';
import { redirectText } from './redirect-way.ts';
import type { CodePlace } from './run-path.ts';
import { type Sent, sentBy } from './sent.ts';
import type { State } from './state.ts';
import type { Tracer } from './tracer.ts';

/** What goes along with the packet, in words; it means nothing where the packet goes no further. */
export interface Carried {
  readonly text: string;
  /** Who set it last, as far as a call or a store of this run did. */
  readonly place: CodePlace | undefined;
}

/** Those that change what a map without keys holds, or hand out memory in it. */
const CONTENT_HELPERS: readonly number[] = [
  HELPER.mapPush,
  HELPER.mapPop,
  HELPER.skStorageGet,
  HELPER.skStorageDelete,
  HELPER.cgroupStorageGet,
  HELPER.cgroupStorageDelete,
];

const FOLLOWED: ReadonlySet<number> = new Set(Object.values(HELPER));

/** By the map's name. */
export type Contents = ReadonlyMap<string, readonly MapContent[]>;

/** Fields of `__sk_buff` beside those that every outcome has, by name; who sets them besides stores. */
const FIELDS: readonly (readonly [name: string, offset: number, setters: readonly number[]])[] = [
  ['pkt_type', SK_BUFF.pktType, [HELPER.changeType]],
  ['queue_mapping', SK_BUFF.queueMapping, []],
  ['protocol', SK_BUFF.protocol, [HELPER.changeProto, HELPER.vlanPush, HELPER.vlanPop]],
  ['tc_index', SK_BUFF.tcIndex, []],
  ['tc_classid', SK_BUFF.tcClassid, []],
  ['gso_size', SK_BUFF.gsoSize, [HELPER.changeProto, HELPER.adjustRoom]],
  ['tstamp_type', SK_BUFF.tstampType, [HELPER.setTimestamp]],
];
/** Those that programs may store to. */
const STORED: ReadonlySet<number> = new Set([SK_BUFF.queueMapping, SK_BUFF.tcIndex, SK_BUFF.tcClassid]);
const VLAN_SETTERS: readonly number[] = [HELPER.vlanPush, HELPER.vlanPop];
const TUNNEL_SETTERS: readonly number[] = [HELPER.setTunnelKey, HELPER.setTunnelOptions];

/** What `bpf_csum_level` is asked; the first changes nothing. */
const CHECKSUM_LEVELS = ['', 'one more', 'one less', 'none'] as const;
/** Can programs of the object, at TC or not, do any of what is followed here? Where they cannot, nobody need look. */
export function canActOutside(object: BpfObject, isTc: boolean): boolean {
  const calls = [...calledHelpers(object)].some(
    ({ number }) => FOLLOWED.has(number) && (isTc || number !== HELPER.redirect),
  );
  return calls || (isTc && object.programs.some(({ instructions }) => storesFields(instructions)));
}

/** By its offset alone: what is no store to the context costs a look. */
function storesFields({ count, opcode, offset }: BpfObject['programs'][number]['instructions']): boolean {
  for (let slot = 0; slot < count; slot++) {
    if (storeSize(opcode[slot]!) === 4 && STORED.has(offset[slot]!)) return true;
  }
  return false;
}

/** Give it to `Interpreter.tracer` for one run, then call `finish`. */
export class OutsideActs implements Tracer {
  readonly sent: Sent[] = [];
  /** By name: `__sk_buff queue_mapping`, `tunnel key`. Filled by `finish`. */
  readonly carried: Map<string, Carried> = new Map();
  /** How the packet is redirected where the action says so: all but the target, which outcomes have. */
  redirect: Carried | undefined;
  /** What maps without keys hold after the run. Filled by `finish`. */
  contents: Contents = new Map();
  /** Who may have changed that; undefined where the run did not. */
  contentPlace: CodePlace | undefined;
  #hash: Carried | undefined;
  #socket: Carried | undefined;
  /** What `bpf_csum_level` was asked, in order. */
  readonly #levels: string[] = [];
  readonly #lastCalls = new Map<number, CodePlace>();
  /** Has the instruction before put an event into a ring buffer, or tried to? */
  #isOutput = false;
  readonly #lastStores = new Map<number, CodePlace>();

  before(state: State, pc: number): void {
    if (this.#isOutput) this.#dropRefused(state);
    const { instructions } = state.program.source;
    const opcode = instructions.opcode[pc]!;
    if (opcode === CALL) {
      const number = instructions.imm[pc]!;
      if (instructions.src[pc] === 0 && FOLLOWED.has(number)) this.#call(state, number, placeOf(state, pc));
      return;
    }
    const offset = instructions.offset[pc]!;
    if (STORED.has(offset) && storeSize(opcode) === 4) this.#store(state, pc, offset);
  }

  /**
   * Looks at what the run has left with the packet, and in maps.
   * @param before what maps held before the run, where that is known: nothing is read again that did not change
   */
  finish(machine: Machine, before?: Contents): void {
    this.contentPlace = this.#lastOf(CONTENT_HELPERS);
    const isKnown = before !== undefined && this.contentPlace === undefined;
    this.contents = isKnown ? before : contentsOf(machine);
    if (machine.hook === 'xdp') return;
    const { memory } = machine;
    for (const [name, offset, setters] of FIELDS) {
      const value = offset === SK_BUFF.tstampType ? memory.u8[CONTEXT_BASE + offset]! : word(machine, offset);
      const place = this.#lastStores.get(offset) ?? this.#lastOf(setters);
      this.carried.set(`__sk_buff ${name}`, { text: String(value), place });
    }
    const carry = (name: string, text: string, setters: readonly number[]): void =>
      void this.carried.set(name, { text, place: this.#lastOf(setters) });
    carry('VLAN tag beside the frame', vlanText(machine), VLAN_SETTERS);
    carry('tunnel key', tunnelText(machine), TUNNEL_SETTERS);
    carry('checksum level', this.#levels.join(', ') || 'as it was', [HELPER.csumLevel]);
    this.carried.set('__sk_buff hash', this.#hash ?? { text: 'that of its flow', place: undefined });
    this.carried.set('socket', this.#socket ?? { text: 'not assigned', place: undefined });
  }

  #lastOf(helpers: readonly number[]): CodePlace | undefined {
    return [...this.#lastCalls].findLast(([number]) => helpers.includes(number))?.[1];
  }

  #store(state: State, pc: number, offset: number): void {
    const base = state.lo[state.program.source.instructions.dst[pc]!]!;
    if (base === CONTEXT_BASE) this.#lastStores.set(offset, placeOf(state, pc));
  }

  /** A ring buffer without room takes no event, as it gives no record to write one into. */
  #dropRefused({ lo, hi }: State): void {
    this.#isOutput = false;
    if (lo[0] !== 0 || hi[0] !== 0) this.sent.pop();
  }

  #call(state: State, number: number, place: CodePlace): void {
    this.#lastCalls.delete(number);
    this.#lastCalls.set(number, place);
    const way = redirectText(state, number);
    if (way !== undefined) this.redirect = { text: way, place };
    const sent = sentBy(state, number);
    if (sent !== undefined) this.sent.push({ ...sent, place });
    this.#isOutput = sent !== undefined && number === HELPER.ringbufOutput;
    const { lo, machine } = state;
    const level = CHECKSUM_LEVELS[lo[2]! >>> 0];
    if (number === HELPER.csumLevel && level) this.#levels.push(level);
    if (number === HELPER.setHash) this.#hash = { text: String(lo[2]! >>> 0), place };
    if (number === HELPER.setHashInvalid) this.#hash = undefined;
    if (number === HELPER.skAssign) this.#socket = { text: socketText(machine, lo[2]!, lo[3]!), place };
  }
}

function contentsOf({ maps }: Machine): Contents {
  return new Map(
    maps.flatMap((map): [string, readonly MapContent[]][] => {
      const held = map.contents();
      return held === undefined ? [] : [[map.name, held]];
    }),
  );
}

function placeOf({ program }: State, pc: number): CodePlace {
  return { program: program.source.function, instruction: pc, source: sourceAt(program.source, pc) };
}
