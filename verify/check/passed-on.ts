/**
 * Bytes that the program never wrote and that a helper takes along where neither frame nor maps show it: into events for user
 * space, queues, stacks and Bloom filters, the storage of a socket, the header of a tunnel, a question to a map. Packets run
 * twice in the interpreter, with other garbage on the stack and in samples of ring buffers, and what is passed is compared.
 */
import type { PassedMemory } from '../../sim/ebpf/interpreter/passed-memory.ts';
import type { RunTrace } from '../../sim/ebpf/interpreter/trace.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { guessedSlots } from '../guessed-slots.ts';
import type { Outcome } from '../outcome.ts';
import { type CallStep, lineOf, placeOf } from './call-remark.ts';
import { callsAny } from './judging.ts';
import { CaseRunner, type Seen, type Sighting, simplest } from './probe.ts';

const RESERVES: ReadonlySet<string> = new Set(['bpf_ringbuf_reserve', 'bpf_ringbuf_reserve_dynptr']);
const PUSH = 'bpf_map_push_elem';
const TUNNEL_KEY = 'bpf_skb_set_tunnel_key';
const FOR_USER_SPACE = 'user space gets';
const FOR_STORAGE = 'it keeps';
const FOR_TUNNEL = 'the header that the tunnel device puts in front gets';
const FOR_SOCKET = 'it looks for';
/** What whoever gets the bytes does: the end of a sentence. Questions to maps come last, where nothing else was found. */
const RECEIVERS: ReadonlyMap<string, string> = new Map([
  ['bpf_perf_event_output', FOR_USER_SPACE],
  ['bpf_ringbuf_output', FOR_USER_SPACE],
  ['bpf_ringbuf_submit', FOR_USER_SPACE],
  ['bpf_ringbuf_submit_dynptr', FOR_USER_SPACE],
  [PUSH, FOR_STORAGE],
  ['bpf_sk_storage_get', FOR_STORAGE],
  ['bpf_cgrp_storage_get', FOR_STORAGE],
  [TUNNEL_KEY, FOR_TUNNEL],
  ['bpf_skb_set_tunnel_opt', FOR_TUNNEL],
  ['bpf_sk_lookup_tcp', FOR_SOCKET],
  ['bpf_sk_lookup_udp', FOR_SOCKET],
  ['bpf_skc_lookup_tcp', FOR_SOCKET],
]);
const QUESTIONS: ReadonlyMap<string, string> = new Map([
  ['bpf_map_lookup_elem', FOR_SOCKET],
  ['bpf_map_delete_elem', FOR_SOCKET],
  ['bpf_map_peek_elem', FOR_SOCKET],
]);
/** Every bit differs between the two. */
const FILLS = [0x00, 0xff] as const;
const BPF_F_TUNINFO_IPV6 = 1n;
/** Of `struct bpf_tunnel_key`, what only IPv6 reads: the rest of the two addresses. */
const IPV6_ONLY = [
  [8, 20],
  [32, 44],
] as const;
/** No member of a structure is aligned to more. */
const ALIGNMENTS = [2, 4, 8] as const;

/** What a call hands on that the program never wrote. */
interface Passed {
  readonly step: CallStep;
  readonly memory: PassedMemory;
  /** Which bytes. */
  readonly at: readonly number[];
}

interface Looked {
  readonly got: Outcome;
  readonly passed: ReadonlyMap<string, Passed>;
}

/** Does the program take samples of a ring buffer, which hold what was there before? */
export function reservesSamples(program: Program): boolean {
  return callsAny(program, ({ name }) => RESERVES.has(name));
}

export class PassedOn {
  readonly #program: Program;
  readonly #traces: RunTrace[] = [];
  readonly #engine: Engine = createVmEngine({ onTrace: (trace) => void this.#traces.push(trace) });

  constructor(program: Program) {
    this.#program = program;
  }

  /**
   * One for each call.
   * @param isElsewhere was it found that garbage goes elsewhere? Then a question asked with it says no more
   */
  async find(sightings: readonly Sighting[], isElsewhere: boolean): Promise<Seen[]> {
    const judged = isElsewhere ? RECEIVERS : new Map([...RECEIVERS, ...QUESTIONS]);
    if (!callsAny(this.#program, ({ name }) => judged.has(name))) return [];
    const runner = new CaseRunner(this.#program, this.#engine);
    try {
      const suspects = new Map<string, Sighting>();
      for (const sighting of sightings) {
        const looked = await this.#look(runner, sighting, judged);
        for (const place of looked?.passed.keys() ?? []) {
          if (!suspects.has(place)) suspects.set(place, sighting);
        }
      }
      const handed: Seen[] = [];
      const asked: Seen[] = [];
      for (const [place, sighting] of suspects) {
        const shown = await this.#show(runner, place, sighting, judged);
        if (shown !== undefined) (shown.isQuestion ? asked : handed).push(shown.seen);
      }
      return handed.length > 0 ? handed : asked;
    } finally {
      await runner.close();
    }
  }

  async #show(
    runner: CaseRunner,
    place: string,
    { world, stimulus }: Sighting,
    judged: ReadonlyMap<string, string>,
  ): Promise<{ readonly seen: Seen; readonly isQuestion: boolean } | undefined> {
    const small = await simplest(stimulus, async (simpler) => {
      const looked = await this.#look(runner, { world, stimulus: simpler }, judged);
      return looked?.passed.has(place) === true;
    });
    const looked = await this.#look(runner, { world, stimulus: small }, judged);
    const passed = looked?.passed.get(place);
    if (looked === undefined || passed === undefined) return undefined;
    const { step } = passed;
    const seen: Seen = {
      world: { ...world, stackFill: FILLS[1] },
      stimuli: [small],
      engine: runner.engine,
      got: looked.got,
      ...lineOf(step),
      ...asFault(passed, judged.get(step.call.name)!),
    };
    return { seen, isQuestion: step.call.key !== undefined };
  }

  async #look(
    runner: CaseRunner,
    sighting: Sighting,
    judged: ReadonlyMap<string, string>,
  ): Promise<Looked | undefined> {
    const { world, stimulus } = sighting;
    const first = await this.#calls(runner, { ...world, stackFill: FILLS[0] }, sighting, judged);
    const second = await this.#calls(runner, { ...world, stackFill: FILLS[1] }, sighting, judged);
    if (first === undefined || second === undefined) return undefined;
    // What a program in a slot that the test filled is handed is not told apart from what it does by itself.
    const own =
      guessedSlots(world).length > 0 ? this.#program.entries[stimulus.entry ?? 0]!.function : undefined;
    const passed = new Map<string, Passed>();
    for (const [index, step] of first.calls.entries()) {
      const other = second.calls[index];
      // From here on they go different ways: that garbage decides is another finding.
      if (other === undefined || placeOf(other) !== placeOf(step)) break;
      if (own !== undefined && step.program !== own) continue;
      for (const one of differing(step, other)) {
        const place = `${placeOf(step)} ${one.memory.argument}`;
        if (!passed.has(place)) passed.set(place, one);
      }
    }
    return { got: second.got, passed };
  }

  async #calls(
    runner: CaseRunner,
    world: World,
    { stimulus }: Sighting,
    judged: ReadonlyMap<string, string>,
  ): Promise<{ readonly got: Outcome; readonly calls: CallStep[] } | undefined> {
    this.#traces.length = 0;
    const got = await runner.outcome(world, stimulus);
    const trace = this.#traces.at(-1);
    if (got?.status !== 'ran' || trace === undefined || trace.truncated) return undefined;
    const isJudged = (step: RunTrace['steps'][number]): step is CallStep =>
      step.call !== undefined && judged.has(step.call.name);
    return { got, calls: trace.steps.filter(isJudged) };
  }
}

/** What two runs of one call are handed that differs. */
function differing(step: CallStep, other: CallStep): Passed[] {
  const flags = step.call.arguments[3] ?? 0n;
  return step.call.passed.flatMap((memory, index): Passed[] => {
    const { bytes, isSample } = memory;
    const second = other.call.passed[index]?.bytes;
    if (second === undefined) return [];
    let at = [...bytes.keys()].filter((byte) => bytes[byte] !== second[byte]);
    if (step.call.name === TUNNEL_KEY && (flags & BPF_F_TUNINFO_IPV6) === 0n)
      at = at.filter((byte) => !IPV6_ONLY.some(([from, to]) => byte >= from && byte < to));
    if (step.call.key?.map.type === 'LPM_TRIE') at = at.filter((byte) => byte < prefixEnd(bytes));
    if (isSample) at = missing(at, bytes.length);
    return at.length === 0 ? [] : [{ step, memory, at }];
  });
}

/** A trie looks at as many bits as its key says. */
function prefixEnd(key: Uint8Array): number {
  const length = new DataView(key.buffer, key.byteOffset).getUint32(0, true);
  return 4 + Math.ceil(length / 8);
}

/**
 * A sample is user space's anyway, and what it holds is an earlier sample: padding there says nothing, nor does a buffer at the
 * end that is filled in part. What is left are bytes in which a member must lie: no padding is as long as the alignment of what
 * follows it.
 */
function missing(at: readonly number[], size: number): number[] {
  const holes: [from: number, to: number][] = [];
  for (const byte of at) {
    const last = holes.at(-1);
    if (last?.[1] === byte) last[1] = byte + 1;
    else holes.push([byte, byte + 1]);
  }
  // A structure is as long as a multiple of what its members are aligned to.
  const alignments = ALIGNMENTS.filter((alignment) => size % alignment === 0);
  const isPadding = (from: number, to: number): boolean =>
    to === size || alignments.some((alignment) => to % alignment === 0 && to - from < alignment);
  return at.filter((byte) => !holes.some(([from, to]) => byte >= from && byte < to && isPadding(from, to)));
}

function asFault({ step, memory, at }: Passed, receiver: string): Pick<Seen, 'breach' | 'severity'> {
  const { name, key } = step.call;
  const breach = { at: 0, size: 0, expected: 'bytes that the program wrote' };
  const count = `${at.length} of its ${memory.bytes.length} bytes, from byte ${at[0]} on,`;
  const are = at.length === 1 ? `byte ${at[0]} of its ${memory.bytes.length} is` : `${count} are`;
  const invariant = 'uninitialized/passed';
  if (memory.isSample) {
    const got = 'whatever an earlier sample left';
    const sentence = `the sample for ${name}: ${are} never written, and hold what an earlier sample left there`;
    return { severity: 'info', breach: { ...breach, invariant, got, sentence } };
  }
  const got = 'bytes of the stack that nobody wrote';
  if (name === PUSH) {
    const isFilter = memory.map?.type === 'BLOOM_FILTER';
    const where = `a value of map ${memory.map?.name}`;
    const sentence = `${where} holds bytes of the stack that the program never wrote: ${are} whatever was there before`;
    // A filter never finds it again; of a queue's values they may be padding.
    const severity = isFilter ? {} : { severity: 'warning' as const };
    return { ...severity, breach: { ...breach, invariant: 'uninitialized/map', got, sentence } };
  }
  const what = key === undefined ? `what ${name} is handed` : `the key that ${name} is handed`;
  const sentence = `${what}: ${are} of the stack, and the program never wrote them: ${receiver} whatever was there before`;
  return { breach: { ...breach, invariant, got, sentence } };
}
