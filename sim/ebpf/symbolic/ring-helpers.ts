/**
 * Ring buffers on a path (kernel/bpf/ringbuf.c): how much of one is unread when the packet comes nobody knows, so a record finds
 * room or does not. What is written there nobody reads while the program runs.
 */
import { EAGAIN, EINVAL } from '../../runtime/errno.ts';
import {
  BPF_RB_AVAIL_DATA,
  BPF_RB_CONS_POS,
  BPF_RB_PROD_POS,
  BPF_RB_RING_SIZE,
  LENGTH_MASK,
  RINGBUF_HEADER,
} from '../maps/ring-buffer-map.ts';
import { addBlock, blockPointer, readBytes } from './access.ts';
import { type Act, settleRecord } from './acts.ts';
import type { Inputs } from './inputs.ts';
import { nextAnswerName, noteAnswer } from './note-answer.ts';
import { PathMemory } from './path-memory.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import { bitLength, type Term } from './term.ts';

/** BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP. */
const WAKEUP_FLAGS = 3n;

function ringOf(value: Value): number {
  if (value.region?.kind !== 'map') throw new NotFollowed('a ring buffer that nobody knows');
  return value.region.map;
}

function sizeOf(inputs: Inputs, map: number): number {
  return inputs.machine.maps[map]!.definition.maxEntries;
}

/** Bytes that lay unread in a ring buffer before the packet came: a multiple of 8 below its size, which is a power of two. */
export function unreadBefore(inputs: Inputs, map: number): Term {
  const { pool } = inputs;
  const words = bitLength(BigInt(sizeOf(inputs, map) / 8)) - 1;
  const unknown = pool.unknown(words, `ring${inputs.mapNumber(map)}`);
  return pool.zeroExtend(64, pool.concat([unknown, pool.constant(3, 0)]));
}

function unread(inputs: Inputs, state: PathState, map: number): Term {
  return state.rings.get(map) ?? unreadBefore(inputs, map);
}

/** Puts a record of so many bytes in. @returns whether there was room */
function put(inputs: Inputs, state: PathState, map: number, size: Term): boolean {
  const { pool } = state;
  if (state.decide(pool.less(pool.constant(64, LENGTH_MASK), size))) return false;
  const length = pool.and(pool.addConst(size, RINGBUF_HEADER + 7), pool.constant(64, ~7n));
  const ring = sizeOf(inputs, map);
  if (state.decide(pool.less(pool.constant(64, ring), length))) return false;
  const filled = pool.add(unread(inputs, state, map), length);
  if (state.decide(pool.less(pool.constant(64, ring - 1), filled))) return false;
  state.rings.set(map, filled);
  return true;
}

const RESERVE = 'bpf_ringbuf_reserve';

/** An event as its reader gets it: in one piece or written in place is the same. */
function event(
  inputs: Inputs,
  ring: number,
  flags: Term,
  bytes: readonly Term[],
): Omit<Act, 'on' | 'record'> {
  return {
    helper: `event ${inputs.mapNumber(ring)}`,
    shape: `${bytes.length} bytes`,
    terms: [flags, ...bytes],
    sends: `an event to map ${inputs.machine.maps[ring]!.name}`,
  };
}

/** What older records have left in one, by the how manieth record of its ring it is. */
function leftBehind(inputs: Inputs, state: PathState, ring: number, record: number, at: number): Term {
  const own = state.acts.findIndex((one) => one.record === record);
  const isRecord = (one: Act): boolean => one.sends !== undefined || one.record !== undefined;
  const before = state.acts.slice(0, own).filter(isRecord).length;
  return state.pool.unknown(8, `left${inputs.mapNumber(ring)}.${before}.${at}`);
}

const reserve: SymbolicHelper = (inputs, state, [map, size, flags]) => {
  const { pool } = state;
  const ring = ringOf(map!);
  const bytes = Number(state.number(size!.term));
  const isWanted = state.decide(pool.equal(flags!.term, pool.constant(64, 0)));
  if (!isWanted || !put(inputs, state, ring, pool.constant(64, bytes))) {
    noteAnswer(inputs, state, RESERVE);
    return pool.constant(64, 0);
  }
  const name = nextAnswerName(inputs, state, RESERVE);
  const block = addBlock(state, {
    what: 'sample',
    map: ring,
    size: bytes,
    writable: true,
    name,
    memory: new PathMemory(),
  });
  const reserved = { helper: RESERVE, on: 'outside', shape: '', terms: [], record: block } as const;
  state.acts = [...state.acts, reserved];
  // What older records have left there.
  noteAnswer(inputs, state, RESERVE, {
    behind: Array.from({ length: bytes }, (_, at) => pool.unknown(8, `${name}.${at}`)),
  });
  return blockPointer(state, block);
};

const output: SymbolicHelper = (inputs, state, [map, data, size, flags]) => {
  const { pool } = state;
  const ring = ringOf(map!);
  const others = pool.and(flags!.term, pool.constant(64, ~WAKEUP_FLAGS));
  if (!state.decide(pool.equal(others, pool.constant(64, 0)))) return pool.constant(64, -EINVAL);
  const bytes = Number(state.number(size!.term));
  const record = bytes > 0 ? readBytes(inputs, state, data!, bytes) : [];
  if (!put(inputs, state, ring, pool.constant(64, bytes))) return pool.constant(64, -EAGAIN);
  state.acts = [...state.acts, { on: 'outside', ...event(inputs, ring, flags!.term, record) }];
  return pool.constant(64, 0);
};

const query: SymbolicHelper = (inputs, state, [map, what]) => {
  const { pool } = state;
  const ring = ringOf(map!);
  // Where the reader is: 0 in every machine, and anywhere in a kernel.
  const consumer = pool.unknown(64, `fixed.ring${inputs.mapNumber(ring)}_consumer`);
  const asked = Number(BigInt.asUintN(64, state.number(what!.term)));
  if (asked === BPF_RB_AVAIL_DATA) return unread(inputs, state, ring);
  if (asked === BPF_RB_RING_SIZE) return pool.constant(64, sizeOf(inputs, ring));
  if (asked === BPF_RB_CONS_POS) return consumer;
  if (asked === BPF_RB_PROD_POS) return pool.add(consumer, unread(inputs, state, ring));
  return pool.constant(64, 0);
};

function recordOf(record: Value): number {
  if (record.region?.kind !== 'block') throw new NotFollowed('a record that nobody knows');
  return record.region.block;
}

/** A record that goes out, with what the path has written there: the rest is what older records have left. */
const submit: SymbolicHelper = (inputs, state, [record, flags]) => {
  const block = recordOf(record!);
  const { memory, map: ring, size } = state.blocks[block]!;
  const bytes = Array.from(
    { length: size },
    (_, at) => memory.byte(state.pool, at) ?? leftBehind(inputs, state, ring, block, at),
  );
  settleRecord(state, block, event(inputs, ring, flags!.term, bytes));
  return undefined;
};

const discard: SymbolicHelper = (inputs, state, [record, flags]) => {
  const block = recordOf(record!);
  const { map: ring, size } = state.blocks[block]!;
  const shape = `${size} bytes of ${inputs.mapNumber(ring)}`;
  settleRecord(state, block, { helper: 'bpf_ringbuf_discard', shape, terms: [flags!.term] });
  return undefined;
};

export const RING_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_ringbuf_reserve: reserve,
  bpf_ringbuf_output: output,
  bpf_ringbuf_query: query,
  bpf_ringbuf_submit: submit,
  bpf_ringbuf_discard: discard,
};
