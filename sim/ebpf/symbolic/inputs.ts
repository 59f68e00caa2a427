/** The inputs of a program as unknowns, by name: the frame and its length, what comes with it, what stands around it. */
import type { Hook } from '../../runtime/actions.ts';
import { DEFAULT_EGRESS_IFINDEX } from '../../runtime/world.ts';
import { frozenData } from '../analysis/frozen-data.ts';
import type { BpfProgram } from '../bpf-object.ts';
import type { ContextLayout } from '../context/context-access.ts';
import { programLayout } from '../context/program-layout.ts';
import type { Machine } from '../machine.ts';
import { SKB_DATA, XDP_DATA, XDP_FRAME_SIZE, XDP_HEADROOM, XDP_LINEAR_LIMIT } from '../memory.ts';
import { OLD_MAX_METADATA } from '../packet-area.ts';
import { Knowledge } from './knowledge.ts';
import { PathMemory } from './path-memory.ts';
import { PathState } from './path-state.ts';
import { stackPointer } from './path-value.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

export interface InputLimits {
  /** Bytes of a frame. */
  readonly shortest: number;
  readonly longest: number;
  /** Bytes of metadata, a multiple of 4; a kernel that takes fewer gives no more than it takes. */
  readonly mostMetadata: number;
}

/** As many bytes of metadata as the room in front of a frame holds, besides what the kernel itself keeps there. */
export const MOST_METADATA: number = XDP_HEADROOM - XDP_FRAME_SIZE;

export const DEFAULT_LIMITS: InputLimits = { shortest: 0, longest: 128, mostMetadata: MOST_METADATA };

/** What no engine here has, and a kernel may: an unknown that is 1 there, and who goes a way that only such a one takes. */
export const ELSEWHERE = {
  /** `xdp_data_meta_unsupported()`. */
  noMetadata: { name: 'fixed.no_metadata', who: 'drivers that take no metadata' },
  /** A driver that leaves less room, or a program before this one that has taken it. */
  noRoom: { name: 'fixed.no_room', who: 'frames with less room in front of them' },
  /** What lies behind the Ethernet header is in pages of its own, or in fragments. */
  inPieces: { name: 'fixed.in_pieces', who: 'frames that do not lie in one piece' },
} as const;

/** Who goes a way that no engine here can go, by the name of an unknown; undefined: it is none of these. */
export function goesElsewhere(unknown: string): string | undefined {
  return Object.values(ELSEWHERE).find(({ name }) => unknown.startsWith(name))?.who;
}

/** Does only a kernel take this path that has what no engine here has? */
export function isElsewhere(state: PathState): boolean {
  return whoElse(state) !== undefined;
}

/** Who takes this path that no engine here can take; undefined: an engine may. */
export function whoElse({ constraints }: PathState): string | undefined {
  for (const { condition } of constraints) {
    const who = goesElsewhere(condition.name);
    if (who !== undefined) return who;
  }
  return undefined;
}

/** Metadata has a length that the program can see on this path. */
export function asksMetadata(inputs: Inputs, state: PathState): void {
  state.assume(`metadata has at most ${inputs.limits.mostMetadata} bytes`);
}

/** No sk_buff is shorter: its Ethernet header has been read. */
const SHORTEST_SKB = 14;
/** As many as the length of an unknown frame has bits for. */
const LONGEST_SKB = 0xffff;

/** As many bytes as the kernel gives a program at once, and as the length of an unknown frame has bits for. */
export function longestFrame(hook: Hook): number {
  return hook === 'xdp' ? XDP_LINEAR_LIMIT : LONGEST_SKB;
}

/** What of the limits is left where the hook and the kernel have limits of their own. */
function limitsOf(hook: Hook, { kernel }: Machine, limits: InputLimits): InputLimits {
  const { shortest, mostMetadata } = limits;
  return {
    ...limits,
    shortest: hook === 'xdp' ? shortest : Math.max(SHORTEST_SKB, shortest),
    mostMetadata: kernel.longMetadata ? mostMetadata : Math.min(OLD_MAX_METADATA, mostMetadata),
  };
}

/** What lies at an address of the packet's buffer before the program runs. */
export function packetUnknown(pool: TermPool, hook: Hook, at: number): Term {
  const offset = at - dataAt(hook);
  return pool.unknown(8, offset >= 0 ? `p${offset}` : `before${-offset}`);
}

function dataAt(hook: Hook): number {
  return hook === 'xdp' ? XDP_DATA : SKB_DATA;
}

/** How maps are called in the names of unknowns, where an object shares them with another one that was followed first. */
export interface MapNaming {
  /** The number that names a map. */
  number(map: number): number;
  /** The map of a number; undefined: the object has none. */
  map(number: number): number | undefined;
  /** Where a byte of a data section lies in the other object; undefined: nowhere. */
  global(map: number, at: number): { readonly number: number; readonly at: number } | undefined;
}

/** Bytes of a variable by which it is known again. */
const NAMED_BYTES = 4096;

export class Inputs {
  readonly pool: TermPool;
  readonly machine: Machine;
  readonly hook: Hook;
  readonly limits: InputLimits;
  readonly layout: ContextLayout;
  /** The kind of map that the program stands in, where only a redirect runs it. */
  readonly behindRedirect: BpfProgram['behindRedirect'];
  /** XDP: does the program take frames in several buffers? It is followed with frames in one. */
  readonly frags: boolean;
  /** At TC: does its section leave open at which end of a device it is attached (`SEC("tc")`)? Then it is followed at ingress. */
  readonly isAnywhere: boolean;
  /** Where the frame begins. */
  readonly data: number;
  /** Bytes of the frame, 16 bits; words of metadata, 6 bits. */
  readonly length: Term;
  readonly metaWords: Term;
  /** The addresses of the frame as it comes, and of what is behind it. */
  readonly begin: { readonly data: Term; readonly end: Term };
  readonly #frozen: (map: number) => Uint8Array | undefined;
  /** Read-only bytes that may be anything all the same. */
  readonly #isOpen: (map: number, offset: number) => boolean;
  /** Of sections that nobody writes, the bytes that a path has read. */
  readonly #readFrozen = new Map<number, Set<number>>();
  #globals: Map<Term, { readonly map: number; readonly at: number }> | undefined;
  /** Undefined: maps are called by their own numbers. */
  readonly #naming: MapNaming | undefined;

  constructor(
    pool: TermPool,
    machine: Machine,
    hook: Hook,
    program: BpfProgram,
    limits: InputLimits = DEFAULT_LIMITS,
    naming?: MapNaming,
    isOpen: (map: number, offset: number) => boolean = () => false,
  ) {
    this.#isOpen = isOpen;
    this.#naming = naming;
    this.pool = pool;
    this.machine = machine;
    this.hook = hook;
    this.behindRedirect = program.behindRedirect;
    this.frags = program.frags;
    this.isAnywhere = hook === 'tc-ingress' && !/ingress/.test(program.section);
    this.limits = limitsOf(hook, machine, limits);
    this.layout = programLayout(hook === 'xdp' ? 'xdp' : 'tc', program);
    this.data = dataAt(hook);
    this.length = pool.unknown(16, 'length');
    this.metaWords = pool.unknown(6, 'metadata');
    this.begin = {
      data: pool.constant(64, this.data),
      end: pool.addConst(pool.zeroExtend(64, this.length), this.data),
    };
    this.#frozen = frozenData(machine);
  }

  /** The path that a program begins with. @param program index in the object */
  start(program: number): PathState {
    const { pool, limits } = this;
    const state = new PathState({
      pool,
      hook: this.hook,
      program,
      packet: {
        ...this.begin,
        meta: pool.subtract(
          this.begin.data,
          pool.zeroExtend(64, pool.concat([this.metaWords, pool.constant(2, 0)])),
        ),
        generation: 0,
        bytes: new PathMemory(),
      },
    });
    this.#knowInputs(state.knowledge, limits.longest);
    // A frame of the usual least size is the first guess.
    const length = Math.min(limits.longest, Math.max(limits.shortest, 64));
    state.values = new Map([
      [this.length, BigInt(length)],
      [this.ingressIfindex, 1n],
      ...(this.behindRedirect === 'devmap'
        ? [[this.egressIfindex, BigInt(DEFAULT_EGRESS_IFINDEX)] as const]
        : []),
      ...this.#initialGlobals(),
    ]);
    state.registers[1] = { term: pool.constant(64, 0x1_1000), region: { kind: 'context' } };
    state.registers[10] = stackPointer(state.pool, 0);
    return state;
  }

  /** What is known of inputs besides, where frames may be as long as the kernel lets them. */
  unlimited(): Knowledge {
    const knowledge = new Knowledge(this.pool);
    this.#knowInputs(knowledge, longestFrame(this.hook));
    return knowledge;
  }

  #knowInputs(knowledge: Knowledge, longest: number): void {
    const { pool, limits, ingressIfindex, egressIfindex, behindRedirect } = this;
    knowledge.add(pool.not(pool.less(this.length, pool.constant(16, limits.shortest))), undefined);
    knowledge.add(pool.not(pool.less(pool.constant(16, longest), this.length)), undefined);
    knowledge.add(pool.less(this.metaWords, pool.constant(6, limits.mostMetadata / 4 + 1)), undefined);
    for (const ifindex of [ingressIfindex, ...(behindRedirect === 'devmap' ? [egressIfindex] : [])]) {
      knowledge.add(pool.not(pool.equal(ifindex, pool.constant(32, 0))), undefined);
      knowledge.add(pool.not(pool.extract(ifindex, 31, 1)), undefined);
    }
  }

  /** Data sections begin as the object says, though later packets may find something else there. */
  *#initialGlobals(): Generator<[Term, bigint]> {
    for (const [map, { global }] of this.machine.object.maps.entries()) {
      if (global === undefined) continue;
      const isFrozen = this.#frozen(map) !== undefined;
      for (const [at, byte] of global.bytes.entries()) {
        if (byte !== 0 && (!isFrozen || this.#isOpen(map, at)))
          yield [this.globalByte(map, at), BigInt(byte)];
      }
    }
  }

  get ingressIfindex(): Term {
    return this.pool.unknown(32, 'ifindex');
  }

  /** The device whose entry of a device map the program stands in. */
  get egressIfindex(): Term {
    return this.pool.unknown(32, 'egress_ifindex');
  }

  /** A byte of the frame as it came, by its offset. */
  frameByte(offset: number): Term {
    return this.pool.unknown(8, `p${offset}`);
  }

  /** What lies at an address of the packet's buffer before the program runs. */
  packetByte(at: number): Term {
    return packetUnknown(this.pool, this.hook, at);
  }

  /** A byte of a data section: as it is in the object where it is frozen, else unknown. */
  globalByte(map: number, at: number): Term {
    const frozen = this.#frozen(map);
    if (frozen !== undefined && !this.#isOpen(map, at)) return this.pool.constant(8, frozen[at] ?? 0);
    if (this.#naming === undefined) return this.pool.unknown(8, `global${map}.${at}`);
    const shared = this.#naming.global(map, at);
    const place = shared === undefined ? `.own${map}.${at}` : `${shared.number}.${shared.at}`;
    return this.pool.unknown(8, `global${place}`);
  }

  /** A byte of a data section that a program reads. */
  readGlobal(map: number, at: number): Term {
    if (this.#frozen(map) !== undefined) {
      const read = this.#readFrozen.get(map) ?? new Set();
      this.#readFrozen.set(map, read.add(at));
    }
    return this.globalByte(map, at);
  }

  /** What paths have read of sections that nobody writes, and whether it was taken to be anything all the same. */
  *readConstants(): Generator<{ readonly map: number; readonly at: number; readonly isOpen: boolean }> {
    for (const [map, places] of this.#readFrozen)
      for (const at of places) yield { map, at, isOpen: this.isOpen(map, at) };
  }

  /** Is a byte of a section that nobody writes taken to be anything all the same? */
  isOpen(map: number, at: number): boolean {
    return this.#frozen(map) !== undefined && this.#isOpen(map, at);
  }

  /** The byte of a data section that an unknown is; undefined: it is none. */
  globalAt(unknown: Term): { readonly map: number; readonly at: number } | undefined {
    if (!unknown.name.startsWith('global')) return undefined;
    this.#globals ??= this.#namedGlobals();
    return this.#globals.get(unknown);
  }

  #namedGlobals(): Map<Term, { readonly map: number; readonly at: number }> {
    const named = new Map<Term, { readonly map: number; readonly at: number }>();
    for (const [map, { global }] of this.machine.object.maps.entries()) {
      // What the program can name are its variables: a section may be much larger.
      for (const { offset, size } of global?.variables.values() ?? [])
        for (let at = offset; at < offset + Math.min(size, NAMED_BYTES); at++)
          named.set(this.globalByte(map, at), { map, at });
    }
    return named;
  }

  /** Is another program followed after a first one, on the same inputs? */
  get isSecond(): boolean {
    return this.#naming !== undefined;
  }

  /** The number that names a map's unknowns. */
  mapNumber(map: number): number {
    return this.#naming?.number(map) ?? map;
  }

  /** The map that a number names; undefined: the object has none. */
  mapOf(number: number): number | undefined {
    return this.#naming === undefined ? number : this.#naming.map(number);
  }

  /** Names the unknowns of an entry. @param ordinal of those that a path has asked of the map, the how manieth */
  entryName(map: number, ordinal: number): string {
    return `map${this.mapNumber(map)}.${ordinal}`;
  }
}
