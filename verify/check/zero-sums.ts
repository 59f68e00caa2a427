/**
 * Does a program that computes UDP checksums send a computed 0 as 0, which says that there is none (RFC 768)? Of one packet nobody can
 * say whether the 0 is a sum or the sender's choice, which in front of a tunnel is free (RFC 6935): so it is of a packet like another
 * one, whose checksum the program computed, with one word such that the sum comes to 0.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM, HEADER } from '../oracle/found.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { onesAdd } from '../oracle/sum.ts';
import type { Outcome } from '../outcome.ts';
import { drivingWords } from './driving-words.ts';
import { CaseRunner, type Seen } from './probe.ts';
import type { Rewritten } from './rewritten.ts';
import { ChecksumRepair } from './sweep-packets.ts';

/** @param driving words that move a checksum */
export async function zeroSums(
  program: Program,
  machine: Engine,
  driving: readonly Rewritten[],
): Promise<Seen[]> {
  const runner = new CaseRunner(program, machine);
  const found: Seen[] = [];
  try {
    for (const word of driving) {
      const seen = await zeroOf(runner, word);
      if (seen !== undefined) found.push({ ...seen, engine: machine });
    }
    return found;
  } finally {
    await runner.close();
  }
}

async function zeroOf(
  runner: CaseRunner,
  { world, stimulus, at }: Rewritten,
): Promise<Omit<Seen, 'engine'> | undefined> {
  const usual = withWord(stimulus, at, wordAt(stimulus.packet, at));
  const before = await runner.outcome(world, usual);
  const computed = before === undefined ? undefined : computedSum(usual, before);
  if (computed === undefined) return undefined;
  const word = wordAt(usual.packet, at);
  // The sum lacks what the checksum is: a word adds it, or takes it away where another checksum makes up for the word.
  for (const other of [onesAdd(word, computed), onesAdd(word, ~computed & 0xffff)]) {
    const one = withWord(stimulus, at, other);
    const got = await runner.outcome(world, one);
    const field = got === undefined ? -1 : lostZero(got);
    if (got !== undefined && field >= 0) return { world, stimuli: [one], got, breach: breachAt(field) };
  }
  return undefined;
}

function breachAt(at: number): Seen['breach'] {
  return {
    invariant: 'checksum/udp-zero-lost',
    at,
    size: 2,
    expected: '0xffff',
    got: '0x0000',
    sentence:
      'the computed checksum is 0x0000, which UDP sends as 0xffff; 0x0000 says that there is none (RFC 768)',
  };
}

const pair = new FramePair();

/** The UDP checksum that the program computed, where it is right; undefined: none. */
function computedSum({ packet }: Stimulus, left: Outcome): number | undefined {
  if (!isPaired(packet, left)) return undefined;
  const row = drivingWords(pair).find((word) => pair.is.kind[word.row] === HEADER.udp)?.row;
  if (row === undefined || pair.is.status[row] !== CHECKSUM.good) return undefined;
  return pair.is.got[row];
}

/** Where a UDP checksum is 0, and the sum over its datagram comes to 0; -1: nowhere. */
function lostZero({ status, packet }: Outcome): number {
  if (status !== 'ran') return -1;
  const is = new HeaderList();
  verifyChecksums(packet, 0, packet.length, is);
  for (let row = 0; row < is.count; row++) {
    const isNone = is.status[row] === CHECKSUM.absent || is.status[row] === CHECKSUM.illegal;
    if (is.kind[row] === HEADER.udp && isNone && is.sum[row]! === 0xffff) return is.at[row]!;
  }
  return -1;
}

function isPaired(came: Uint8Array, { status, packet }: Outcome): boolean {
  return status === 'ran' && pair.set(came, 0, came.length, packet, 0, packet.length);
}

const repair = new ChecksumRepair();

function withWord(stimulus: Stimulus, at: number, value: number): Stimulus {
  const packet = stimulus.packet.slice();
  repair.apply(packet, 0, packet.length, at, value, -1);
  return { ...stimulus, packet };
}

function wordAt(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}
