/** Neighbour advertisements that programs make: right ones, and those that receivers drop. */
import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, ethernet, icmpv6, MAC_A, MAC_B, PASSED, u16, V6_A, V6_B } from '../test-support/packets.ts';
import type { Passage } from './invariant.ts';
import { neighbourDiscovery } from './neighbour-discovery.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const SENT_BACK: Passage = { ...PASSED, action: 3, delivery: 2 };

type Address = readonly number[];
const GROUP: Address = [0xff, 2, ...new Array(9).fill(0), 1, 0xff, 0, 0, 2];
const ALL: Address = [0xff, 2, ...new Array(13).fill(0), 1];
const NONE: Address = new Array(16).fill(0);

interface Parts {
  readonly type: number;
  readonly code?: number;
  readonly flags?: Address;
  readonly target?: Address;
  readonly options?: Address;
  readonly from?: Address;
  readonly to?: Address;
  readonly hops?: number;
}

function message({
  type,
  code = 0,
  flags,
  target,
  options = [],
  from = V6_A,
  to = GROUP,
  hops = 255,
}: Parts) {
  const body = icmpv6(type, flags ?? [0, 0, 0, 0], bytes(target ?? V6_B, options), from, to);
  body[1] = code;
  return bytes(0x60, 0, 0, 0, u16(body.length), 58, hops, from, to, body);
}

const ASKED: Parts = { type: 135, options: [1, 1, ...MAC_A] };
const TOLD: Parts = { type: 136, flags: [0x60, 0, 0, 0], options: [2, 1, ...MAC_B], from: V6_B, to: V6_A };

function judged(told: Partial<Parts>, asked: Partial<Parts> = {}, passage = SENT_BACK): string {
  const before = ethernet(0x86dd, message({ ...ASKED, ...asked }));
  const after = bytes(MAC_A, MAC_B, u16(0x86dd), message({ ...TOLD, ...told }));
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return '';
  const breach = neighbourDiscovery.judge(pair, passage);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach?.invariant ?? '';
}

it('the answer to a neighbour is right', () => {
  expect(judged({})).toBe('');
  expect(judged({ flags: [0xe0, 0, 0, 0] })).toBe('');
  expect(judged({ flags: [0x40, 0, 0, 0] })).toBe('');
  expect(judged({}, { to: V6_B })).toBe('');
});

describe('the hop limit', () => {
  it('is 255', () => {
    expect(judged({ hops: 64 })).toBe('neighbour/hop-limit');
    expect(judged({ hops: 254 })).toBe('neighbour/hop-limit');
    expect(judged({ hops: 64 }, {}, PASSED)).toBe('');
  });

  it('of a message that came with another one is the sender’s fault', () => {
    expect(judged({ hops: 64 }, { hops: 64 })).toBe('');
    expect(judged({ hops: 255 }, { hops: 64 })).toBe('');
    expect(judged({ hops: 63 }, { hops: 64 })).toBe('neighbour/hop-limit');
  });

  it('of a message that is sent on is the sender’s, too', () => {
    expect(judged({ ...ASKED, hops: 254 })).toBe('');
  });
});

describe('a router', () => {
  const LOCAL: Address = [0xfe, 0x80, ...V6_B.slice(2)];
  const SOLICITED: Partial<Parts> = {
    type: 133,
    target: [],
    options: [1, 1, ...MAC_A],
    to: [...ALL.slice(0, 15), 2],
  };
  /** What follows its first word: times, of nothing. */
  const advertised: Partial<Parts> = {
    ...{
      type: 134,
      flags: [64, 0, 7, 8],
      target: new Array(8).fill(0),
      options: [1, 1, ...MAC_B],
      from: LOCAL,
    },
  };

  it('advertises itself from its link-local address', () => {
    expect(judged(advertised, SOLICITED)).toBe('');
    expect(judged({ ...advertised, from: [0xfe, 0xbf, ...V6_B.slice(2)] }, SOLICITED)).toBe('');
    expect(judged({ ...advertised, from: V6_B }, SOLICITED)).toBe('neighbour/router-source');
    expect(judged({ ...advertised, from: [0xfe, 0xc0, ...V6_B.slice(2)] }, SOLICITED)).toBe(
      'neighbour/router-source',
    );
    expect(judged({ ...advertised, from: V6_B }, { ...SOLICITED, to: V6_B })).toBe('');
    expect(judged({ ...advertised, from: V6_B }, SOLICITED, PASSED)).toBe('');
  });

  it('that has no source yet is judged once, as a reply where it is one', () => {
    const isFromNobody = { ...advertised, from: NONE };
    expect(judged({ ...isFromNobody, to: V6_A }, SOLICITED)).toBe('');
    expect(judged({ ...isFromNobody, to: ALL }, SOLICITED)).toBe('neighbour/router-source');
  });

  it('redirects from it, too', () => {
    const redirect: Partial<Parts> = { type: 137, target: [...V6_B, ...V6_A], options: [] };
    expect(judged({ ...redirect, from: LOCAL })).toBe('');
    expect(judged({ ...redirect, from: [...V6_A.slice(0, 15), 9] })).toBe('neighbour/router-source');
  });

  it('has a hop limit of 255, and options of their length', () => {
    expect(judged({ ...advertised, hops: 64 }, SOLICITED)).toBe('neighbour/hop-limit');
    expect(judged({ ...advertised, options: [1, 8, ...MAC_B] }, SOLICITED)).toBe('neighbour/option-length');
  });
});

describe('the code', () => {
  it('is 0', () => {
    expect(judged({ code: 1 })).toBe('neighbour/code');
    expect(judged({ type: 135, code: 1 }, { type: 136 })).toBe('neighbour/code');
  });

  it('is the sender’s fault where it came so', () => {
    expect(judged({ code: 1 }, { code: 1 })).toBe('');
    expect(judged({ code: 2 }, { code: 1 })).toBe('neighbour/code');
  });
});

describe('an option', () => {
  it('has its length in units of 8 bytes', () => {
    expect(judged({ options: [2, 0, ...MAC_B] })).toBe('neighbour/option-length');
    expect(judged({ options: [2, 8, ...MAC_B] })).toBe('neighbour/option-length');
    expect(judged({ options: [2, 1, ...MAC_B, 14, 1, 1, 2, 3, 4, 5, 6] })).toBe('');
  });

  it('that nobody can read came so', () => {
    expect(judged({ options: [2, 0, ...MAC_B] }, { options: [1, 0, ...MAC_A] })).toBe('');
  });

  it('has the type of the target’s address', () => {
    expect(judged({ options: [1, 1, ...MAC_B] })).toBe('neighbour/no-address');
    expect(judged({ options: [] })).toBe('neighbour/no-address');
    // Who asks one host knows its address.
    expect(judged({ options: [] }, { to: V6_B })).toBe('');
    expect(judged({ options: [] }, { options: [] })).toBe('');
  });

  it('has the address of the target', () => {
    expect(judged({ options: [2, 1, ...MAC_A] })).toBe('neighbour/askers-address');
    expect(judged({ options: [2, 1, 2, 0, 0, 0, 0, 9] })).toBe('');
  });
});

describe('flags', () => {
  it('are the first bits of their word', () => {
    expect(judged({ flags: [0, 0, 0, 0x60] })).toBe('neighbour/flags');
    expect(judged({ flags: [0, 0, 0, 0x60] }, { flags: [0, 0, 0, 0x60] })).toBe('neighbour/solicited');
    expect(judged({ flags: [0x60, 0, 0, 0x60] })).toBe('');
  });

  it('say whether somebody asked', () => {
    expect(judged({ flags: [0x20, 0, 0, 0] })).toBe('neighbour/solicited');
    expect(judged({ flags: [0x60, 0, 0, 0], to: ALL }, { from: NONE, options: [] })).toBe(
      'neighbour/solicited',
    );
    expect(judged({ flags: [0x20, 0, 0, 0], to: ALL }, { from: NONE, options: [] })).toBe('');
  });
});

it('the target stays', () => {
  expect(judged({ target: V6_A })).toBe('neighbour/target');
});

it('a host without an address is answered to all nodes', () => {
  const asked: Partial<Parts> = { from: NONE, options: [] };
  const flags = [0x20, 0, 0, 0];
  expect(judged({ flags, to: GROUP }, asked)).toBe('neighbour/to-all-nodes');
  expect(judged({ flags, to: ALL, options: [] }, asked)).toBe('');
  // That is `reply/to-unspecified`.
  expect(judged({ flags, to: NONE }, asked)).toBe('');
});
