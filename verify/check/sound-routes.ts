/**
 * Routes for sound packets. The search for packets makes a route to the one address that its packet makes the program ask for; with
 * lengths and addresses put right, the packet may ask for another: for one that is made of them, as it is where a program reads one
 * header as another. Nothing behind the route would be judged then, as nobody judges the packet that was found.
 */
import type { Case } from '../../corpus/cases/case.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TracedRuns } from '../guide/traced-runs.ts';
import { answerCall } from '../guide/world-answers.ts';

/** Each is another world, which a kernel has to be set up for. */
const MOST = 8;

export class SoundRoutes {
  readonly #runs: TracedRuns;
  #made = 0;

  constructor(program: Program) {
    this.#runs = new TracedRuns(program);
  }

  /**
   * @param found a case that was looked for
   * @param sound the same with sound packets
   * @returns the sound packet that gets, in a world with a route to what it asks for, the answers of the case; nothing: one gets them
   *     anyway, or none can
   */
  casesFor(found: Case, sound: readonly Case[]): Case[] {
    if (found.world.routes === undefined || this.#made >= MOST) return [];
    const wanted = this.#lookups(found);
    if (wanted.length === 0) return [];
    if (sound.some((one) => missedBy(this.#lookups(one), wanted) === undefined)) return [];
    for (const one of sound) {
      const routed = this.#routed(one, wanted);
      if (routed === undefined) continue;
      this.#made++;
      return [routed];
    }
    return [];
  }

  /** With one route after the other, until all lookups are answered. */
  #routed(one: Case, wanted: readonly FlowCall[]): Case | undefined {
    let current = one;
    for (let count = 0; count <= wanted.length; count++) {
      const lookups = this.#lookups(current);
      const missed = missedBy(lookups, wanted);
      if (missed === undefined) return current;
      const next = this.#answered(current, lookups[missed], wanted[missed]!.result);
      if (next === undefined) return undefined;
      current = next;
    }
    return undefined;
  }

  /** @returns undefined, too, where the packet would have to be another: it would be sound no more */
  #answered(one: Case, lookup: FlowCall | undefined, result: bigint): Case | undefined {
    const machine = this.#runs.machineOf(one.world);
    if (lookup === undefined || machine === undefined) return undefined;
    const { world, stimuli } = one;
    const answer = answerCall(world, stimuli, lookup, result, machine, () => false);
    if (answer === undefined) return undefined;
    const answered = { ...one, ...answer };
    return answered.stimuli.every(({ packet }, index) => packet === stimuli[index]!.packet)
      ? answered
      : undefined;
  }

  #lookups(one: Case): FlowCall[] {
    const calls = this.#runs.run(one)?.trace.calls ?? [];
    return calls.filter(({ helper }) => helper === 'bpf_fib_lookup');
  }
}

/** The number of the first lookup that is not made, or is answered otherwise; undefined: none. */
function missedBy(lookups: readonly FlowCall[], wanted: readonly FlowCall[]): number | undefined {
  const index = wanted.findIndex(({ program, slot, result }, at) => {
    const own = lookups[at];
    return own === undefined || own.program !== program || own.slot !== slot || own.result !== result;
  });
  return index < 0 ? undefined : index;
}
