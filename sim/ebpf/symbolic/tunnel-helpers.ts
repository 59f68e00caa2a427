/** What goes between programs and tunnel devices, term by term (net/core/filter.c): see `sim/ebpf/helpers/tunnel-helpers.ts`. */
import { EINVAL, ENOENT, ENOMEM, EPROTO } from '../../runtime/errno.ts';
import {
  flagsOfKey,
  GETTING_FLAGS,
  isKeySizeShown,
  isKeySizeTaken,
  LARGEST_OPTIONS,
  SETTING_FLAGS,
  TUNNEL_KEY_FLAG,
} from '../helpers/tunnel-helpers.ts';
import { MOST_OPTIONS, OPTIONS_PRESENT, TUNNEL_KEY, TUNNEL_KEY_SIZE } from '../tunnel-info.ts';
import { readBytes, writeBytes } from './access.ts';
import { noteAct } from './acts.ts';
import type { PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import { isZero, result } from './skb-bounds.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

const ADDRESS = 16;

/** The tunnel that a frame came out of: unknowns. */
export const GIVEN_TUNNEL = {
  present: (pool: TermPool): Term => pool.unknown(1, 'skb.tunnel_present'),
  ipv6: (pool: TermPool): Term => pool.unknown(1, 'skb.tunnel_ipv6'),
  flags: (pool: TermPool): Term => pool.unknown(16, 'skb.tunnel_flags'),
  /** How many words of options there are, where the flags speak of any. */
  optionWords: (pool: TermPool): Term => pool.unknown(6, 'skb.tunnel_option_words'),
  option: (pool: TermPool, at: number): Term => pool.unknown(8, `skb.tunnel_options.${at}`),
  hasOptions: (pool: TermPool): Term =>
    pool.not(
      pool.equal(
        pool.and(GIVEN_TUNNEL.flags(pool), pool.constant(16, OPTIONS_PRESENT)),
        pool.constant(16, 0),
      ),
    ),
  key: givenKey,
} as const;

/** `struct bpf_tunnel_key` as it is shown for a frame that came out of a tunnel, but for its flags. */
function givenKey(pool: TermPool, ipv6: boolean): Term[] {
  const key: Term[] = Array.from({ length: TUNNEL_KEY_SIZE }, () => pool.constant(8, 0));
  const put = (at: number, width: number, name: string): void => {
    const field = pool.zeroExtend(Math.ceil(width / 8) * 8, pool.unknown(width, `skb.tunnel_${name}`));
    for (let byte = 0; byte * 8 < field.width; byte++) key[at + byte] = pool.extract(field, 8 * byte, 8);
  };
  put(TUNNEL_KEY.id, 32, 'id');
  put(TUNNEL_KEY.tos, 8, 'tos');
  put(TUNNEL_KEY.ttl, 8, 'ttl');
  if (ipv6) put(TUNNEL_KEY.label, 20, 'label');
  for (const name of ['remote', 'local'] as const) {
    if (!ipv6) put(TUNNEL_KEY[name], 32, `${name}_ipv4`);
    else for (let at = 0; at < ADDRESS; at += 4) put(TUNNEL_KEY[name] + at, 32, `${name}_ipv6.${at}`);
  }
  return key;
}

/** Received is what was sent the other way. */
function turnedAround(key: readonly Term[]): Term[] {
  const turned = key.slice();
  const { remote, local } = TUNNEL_KEY;
  for (let at = 0; at < ADDRESS; at++) {
    turned[remote + at] = key[local + at]!;
    turned[local + at] = key[remote + at]!;
  }
  return turned;
}

function fail(state: PathState, to: Value, size: number, error: number): Term {
  writeBytes(
    state,
    to,
    Array.from({ length: size }, () => state.pool.constant(8, 0)),
  );
  return result(state, -error);
}

function hasFlag(state: PathState, flags: Term, flag: number): boolean {
  return !isZero(state, state.pool.and(flags, state.pool.constant(64, flag)));
}

function hasOthers(state: PathState, flags: Term, known: number): boolean {
  return !isZero(state, state.pool.and(flags, state.pool.constant(64, ~BigInt(known))));
}

/** Does the path know that the frame has no tunnel? */
function hasNone(state: PathState): boolean {
  return state.tunnel === undefined && isZero(state, GIVEN_TUNNEL.present(state.pool));
}

const getKey: SymbolicHelper = (_inputs, state, [, to, bytes, flags]) => {
  const { pool, tunnel } = state;
  const size = state.int(bytes!.term);
  if (hasNone(state) || hasOthers(state, flags!.term, GETTING_FLAGS)) return fail(state, to!, size, EINVAL);
  const wantsIpv6 = hasFlag(state, flags!.term, TUNNEL_KEY_FLAG.ipv6);
  const ipv6 = tunnel === undefined ? !isZero(state, GIVEN_TUNNEL.ipv6(pool)) : tunnel.ipv6;
  if (ipv6 !== wantsIpv6) return fail(state, to!, size, EPROTO);
  if (!isKeySizeShown(size, ipv6)) return fail(state, to!, size, EINVAL);
  const key = tunnel === undefined ? givenKey(pool, ipv6) : turnedAround(tunnel.key);
  if (hasFlag(state, flags!.term, TUNNEL_KEY_FLAG.showFlags)) {
    const shown = tunnel?.flags ?? GIVEN_TUNNEL.flags(pool);
    key[TUNNEL_KEY.flags] = pool.extract(shown, 8, 8);
    key[TUNNEL_KEY.flags + 1] = pool.extract(shown, 0, 8);
  }
  writeBytes(state, to!, key.slice(0, size));
  return result(state, 0);
};

/** `flagsOfKey` of flags that the path may not know. */
function flagsTerm({ pool }: PathState, flags: Term): Term {
  const plain = flagsOfKey(0);
  let shown = pool.constant(16, plain);
  for (let flag = 1; flag <= SETTING_FLAGS; flag <<= 1) {
    const changed = pool.constant(16, flagsOfKey(flag) ^ plain);
    const isSet = pool.extract(flags, Math.log2(flag), 1);
    shown = pool.xor(shown, pool.ite(isSet, changed, pool.constant(16, 0)));
  }
  return shown;
}

const setKey: SymbolicHelper = (inputs, state, [, from, bytes, flags]) => {
  const { pool } = state;
  const size = state.int(bytes!.term);
  if (hasOthers(state, flags!.term, SETTING_FLAGS) || !isKeySizeTaken(size)) return result(state, -EINVAL);
  const zero = pool.constant(8, 0);
  const key = readBytes(inputs, state, from!, size);
  while (key.length < TUNNEL_KEY_SIZE) key.push(zero);
  const ipv6 = hasFlag(state, flags!.term, TUNNEL_KEY_FLAG.ipv6);
  const { flags: extension, label, remote, local } = TUNNEL_KEY;
  const areZero = (at: number, end: number): boolean => isZero(state, pool.concat(key.slice(at, end)));
  if ((!ipv6 && !areZero(label, local)) || !areZero(extension, label)) return result(state, -EINVAL);
  if (!ipv6)
    for (const at of [remote, local]) for (let byte = 4; byte < ADDRESS; byte++) key[at + byte] = zero;
  // A flow label has 20 bits.
  key[label + 2] = pool.and(key[label + 2]!, pool.constant(8, 0x0f));
  key[label + 3] = zero;
  const shown = flagsTerm(state, flags!.term);
  noteAct(state, 'bpf_skb_set_tunnel_key', 'tunnel', [pool.constant(1, ipv6 ? 1 : 0), shown, ...key]);
  state.tunnel = { ipv6, key, flags: shown };
  return result(state, 0);
};

const getOptions: SymbolicHelper = (_inputs, state, [, to, bytes]) => {
  const { pool, tunnel } = state;
  const size = state.int(bytes!.term);
  const zero = pool.constant(8, 0);
  if (tunnel !== undefined) {
    const { options } = tunnel;
    if (options === undefined) return fail(state, to!, size, ENOENT);
    if (size < options.length) return fail(state, to!, size, ENOMEM);
    writeBytes(
      state,
      to!,
      Array.from({ length: size }, (_, at) => options[at] ?? zero),
    );
    return result(state, options.length);
  }
  if (hasNone(state) || isZero(state, GIVEN_TUNNEL.hasOptions(pool))) return fail(state, to!, size, ENOENT);
  const words = GIVEN_TUNNEL.optionWords(pool);
  const length = pool.shiftLeft(pool.zeroExtend(64, words), 2);
  if (state.decide(pool.less(pool.constant(64, size), length))) return fail(state, to!, size, ENOMEM);
  writeBytes(
    state,
    to!,
    Array.from({ length: size }, (_, at) =>
      at < MOST_OPTIONS
        ? pool.ite(pool.less(pool.constant(64, at), length), GIVEN_TUNNEL.option(pool, at), zero)
        : zero,
    ),
  );
  return length;
};

const setOptions: SymbolicHelper = (inputs, state, [, from, bytes]) => {
  const { pool, tunnel } = state;
  const size = state.int(bytes!.term);
  // Options join a key that a program has stated, none that a device has found.
  if (tunnel === undefined || (size & 3) !== 0) return result(state, -EINVAL);
  if (size > LARGEST_OPTIONS) return result(state, -ENOMEM);
  const options = readBytes(inputs, state, from!, size);
  noteAct(state, 'bpf_skb_set_tunnel_opt', 'tunnel', options);
  state.tunnel = { ...tunnel, options, flags: pool.or(tunnel.flags, pool.constant(16, OPTIONS_PRESENT)) };
  return result(state, 0);
};

export const TUNNEL_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_skb_get_tunnel_key: getKey,
  bpf_skb_set_tunnel_key: setKey,
  bpf_skb_get_tunnel_opt: getOptions,
  bpf_skb_set_tunnel_opt: setOptions,
};
