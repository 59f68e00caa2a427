/** Helpers on maps, sums and redirects, term by term: what their records run on numbers. */
import { TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_ABORTED, XDP_REDIRECT } from '../../runtime/actions.ts';
import { ENOTSUPP } from '../../runtime/errno.ts';
import { blockPointer, readBytes } from './access.ts';
import { noteAct } from './acts.ts';
import { findInner, holdsMaps } from './inner-maps.ts';
import type { Inputs } from './inputs.ts';
import { deleteEntry, findEntry, redirectTarget, updateEntry } from './map-entries.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

function errno(state: PathState, value: number): Term {
  return state.pool.constant(64, value);
}

function mapOf(value: Value): number {
  if (value.region?.kind !== 'map') throw new NotFollowed('a map that was looked up itself');
  return value.region.map;
}

function keyOf(inputs: Inputs, state: PathState, map: Value, key: Value): Term[] {
  return readBytes(inputs, state, key, inputs.machine.maps[mapOf(map)]!.definition.keySize);
}

/** `csum_partial`, `csum_add`: 32-bit words with end-around carry, as a term of 64 bits below 2^32. */
export function checksumPartial(state: PathState, bytes: readonly Term[], start: Term): Term {
  const { pool } = state;
  let sum = start;
  for (let at = 0; at < bytes.length; at += 4) {
    const word = [3, 2, 1, 0].map((index) => bytes[at + index] ?? pool.constant(8, 0));
    sum = pool.add(sum, pool.zeroExtend(64, pool.concat(word)));
  }
  return fold32(state, sum);
}

function fold32({ pool }: PathState, sum: Term): Term {
  let folded = sum;
  for (let round = 0; round < 2; round++) {
    const low = pool.zeroExtend(64, pool.extract(folded, 0, 32));
    folded = pool.add(low, pool.zeroExtend(64, pool.extract(folded, 32, 32)));
  }
  return folded;
}

/** 32 bits folded to 16, twice. */
export function fold16({ pool }: PathState, sum: Term): Term {
  let folded = pool.zeroExtend(64, pool.extract(sum, 0, 32));
  for (let round = 0; round < 2; round++) {
    const low = pool.zeroExtend(64, pool.extract(folded, 0, 16));
    folded = pool.add(low, pool.zeroExtend(64, pool.extract(folded, 16, 16)));
  }
  return folded;
}

export function checksumAdd(state: PathState, a: Term, b: Term): Term {
  const { pool } = state;
  const sum = pool.add(a, b);
  const low = pool.zeroExtend(64, pool.extract(sum, 0, 32));
  return pool.add(low, pool.zeroExtend(64, pool.extract(sum, 32, 32)));
}

/** The complement of the lower 32 bits. */
export function not32({ pool }: PathState, a: Term): Term {
  return pool.zeroExtend(64, pool.not(pool.extract(a, 0, 32)));
}

const checksumDifference: SymbolicHelper = (inputs, state, [from, fromSize, to, toSize, seed]) => {
  const { pool } = state;
  if (!inputs.machine.kernel.checksumDifferenceFolds) throw new NotFollowed('bpf_csum_diff of older kernels');
  const sizes = [fromSize, toSize].map((one) => Number(state.number(pool.extract(one!.term, 0, 32))));
  const start = pool.zeroExtend(64, pool.extract(seed!.term, 0, 32));
  const [removed, added] = sizes as [number, number];
  const sumOf = (pointer: Value, size: number, first: Term): Term =>
    checksumPartial(state, readBytes(inputs, state, pointer, size), first);
  const zero = pool.constant(64, 0);
  let sum = start;
  if (removed > 0 && added > 0) {
    sum = checksumAdd(state, sumOf(to!, added, start), not32(state, sumOf(from!, removed, zero)));
  } else if (added > 0) sum = sumOf(to!, added, start);
  else if (removed > 0) sum = not32(state, sumOf(from!, removed, not32(state, start)));
  return fold16(state, sum);
};

function isZero(state: PathState, term: Term): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(term.width, 0)));
}

const redirect: SymbolicHelper = (_inputs, state, [ifindex, flags]) => {
  const { pool } = state;
  const target = pool.extract(ifindex!.term, 0, 32);
  if (state.hook === 'xdp') {
    if (!isZero(state, flags!.term)) return refuse(state, 'bpf_redirect', XDP_ABORTED);
    return send(state, target, XDP_REDIRECT, { what: 'device', flags: undefined });
  }
  const others = pool.and(flags!.term, pool.constant(64, ~1n));
  if (!isZero(state, others)) return refuse(state, 'bpf_redirect', TC_ACT_SHOT);
  return send(state, target, TC_ACT_REDIRECT, { what: 'device', flags: flags!.term });
};

const redirectPeer: SymbolicHelper = (_inputs, state, [ifindex, flags]) => {
  if (!isZero(state, flags!.term)) return refuse(state, 'bpf_redirect_peer', TC_ACT_SHOT);
  const target = state.pool.extract(ifindex!.term, 0, 32);
  return send(state, target, TC_ACT_REDIRECT, { what: 'peer', flags: undefined });
};

/** `struct bpf_redir_neigh`. */
const NEIGHBOUR_SIZE = 20;

const redirectNeighbour: SymbolicHelper = (inputs, state, [ifindex, next, size, flags]) => {
  const { pool } = state;
  const length = state.int(size!.term);
  // Where the next hop is stated, all of it has to be there.
  const bytes = next!.region === undefined ? [] : readBytes(inputs, state, next!, length);
  if ((length !== 0 && length < NEIGHBOUR_SIZE) || !isZero(state, flags!.term))
    return refuse(state, 'bpf_redirect_neigh', TC_ACT_SHOT);
  const known = bytes.length === 0 ? {} : { next: bytes.slice(0, NEIGHBOUR_SIZE) };
  const via = { what: 'neighbour', flags: undefined, ...known } as const;
  return send(state, pool.extract(ifindex!.term, 0, 32), TC_ACT_REDIRECT, via);
};

function send(state: PathState, target: Term, returned: number, via: PathState['via']): Term {
  state.redirect = target;
  state.via = via;
  state.refusal = undefined;
  return errno(state, returned);
}

/** What a helper does with flags that it does not know. */
function refuse(state: PathState, helper: string, returned: number): Term {
  state.refusal = {
    returned,
    reason: `${helper} refuses its flags, and the program returns what it returned`,
  };
  return errno(state, returned);
}

const ACTION_MASK = 3n;
const BROADCAST_FLAGS = 24n;

const redirectMap: SymbolicHelper = (inputs, state, [map, key, flags]) => {
  const { pool } = state;
  const index = mapOf(map!);
  const { type } = inputs.machine.maps[index]!.definition;
  const isDevices = type === 'DEVMAP' || type === 'DEVMAP_HASH';
  const known =
    ACTION_MASK | (isDevices && inputs.machine.kernel.redirectMapBroadcasts ? BROADCAST_FLAGS : 0n);
  if (!isZero(state, pool.and(flags!.term, pool.constant(64, ~known))))
    return refuse(state, 'bpf_redirect_map', XDP_ABORTED);
  if (!isZero(state, pool.and(flags!.term, pool.constant(64, 8n))))
    throw new NotFollowed('a redirect to all devices of a map');
  const target = redirectTarget(inputs, state, index, pool.extract(key!.term, 0, 32));
  // A miss takes the target away that an earlier call has stored.
  state.redirect = target;
  state.via = { what: isDevices ? 'device' : type === 'CPUMAP' ? 'CPU' : 'socket', flags: undefined };
  state.refusal = undefined;
  return target === undefined
    ? pool.and(flags!.term, pool.constant(64, ACTION_MASK))
    : errno(state, XDP_REDIRECT);
};

export const EXACT_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_map_lookup_elem: (inputs, state, [map, key]) => {
    if (holdsMaps(inputs, mapOf(map!)))
      return findInner(inputs, state, mapOf(map!), keyOf(inputs, state, map!, key!)) ?? errno(state, 0);
    const found = findEntry(inputs, state, mapOf(map!), keyOf(inputs, state, map!, key!));
    if (found === undefined || !found.isThere) return errno(state, 0);
    return blockPointer(state, found.entry.block);
  },
  bpf_map_update_elem: (inputs, state, [map, key, value, flags]) => {
    const index = mapOf(map!);
    const bytes = readBytes(inputs, state, value!, inputs.machine.maps[index]!.definition.valueSize);
    return errno(
      state,
      updateEntry(inputs, state, index, keyOf(inputs, state, map!, key!), bytes, flags!.term),
    );
  },
  bpf_map_delete_elem: (inputs, state, [map, key]) =>
    errno(state, deleteEntry(inputs, state, mapOf(map!), keyOf(inputs, state, map!, key!))),
  bpf_csum_diff: checksumDifference,
  bpf_redirect: redirect,
  bpf_redirect_peer: redirectPeer,
  bpf_redirect_neigh: redirectNeighbour,
  bpf_redirect_map: redirectMap,
  bpf_csum_update: (_inputs, state, [, sum]) => {
    // Of a frame whose checksum the device has computed, it is changed.
    noteAct(state, 'bpf_csum_update', 'frame', [state.pool.extract(sum!.term, 0, 32)]);
    return errno(state, -ENOTSUPP);
  },
};
