/**
 * Does a TC program return what XDP programs do? XDP_DROP is TC_ACT_RECLASSIFY, which hardly any classifier means, and XDP_PASS is
 * TC_ACT_SHOT. No single packet shows it: only that none of all came to what lets packets go on, or that others are dropped as TC does.
 */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { TC_ACT_RECLASSIFY, TC_ACT_SHOT, XDP_DROP, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { BatchReport } from '../batch-report.ts';
import { ruleOf } from '../invariants/rules.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import type { CheckFinding } from './finding.ts';
import { CaseRunner, decidingLine, hasContents, type Sighting } from './probe.ts';

const INVARIANT = 'action/xdp-numbers';

/** What came of one entry. */
interface Entry {
  packets: number;
  /** Did a packet come to what XDP has no such number for, or has as XDP_ABORTED? */
  hasOwn: boolean;
  /** Did one come to TC_ACT_SHOT? Who drops packets with that, and lets others go on, lets them go on with TC_ACT_RECLASSIFY, too. */
  hasShot: boolean;
  /** The first packet that came to TC_ACT_RECLASSIFY, by no contents that a test made up. */
  reclassified: Sighting | undefined;
}

export class BorrowedActions {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #entries: readonly Entry[];

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#entries = program.entries.map(() => ({
      ...{ packets: 0, hasOwn: false, hasShot: false },
      reclassified: undefined,
    }));
  }

  observe(world: World, input: PacketBatch, { output }: Pick<BatchReport, 'output'>): void {
    const isMadeUp = !this.#isGiven && hasContents(world);
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      const seen = this.#entries[input.entry[packet]!]!;
      const action = output.action[packet]!;
      seen.packets++;
      if (action < XDP_DROP || action > XDP_REDIRECT) seen.hasOwn = true;
      else if (action === TC_ACT_SHOT) seen.hasShot = true;
      else if (action === TC_ACT_RECLASSIFY && !isMadeUp)
        seen.reclassified ??= { world, stimulus: input.stimulus(packet) };
    }
  }

  /** One for each entry of which it holds. */
  async find(machine: Engine): Promise<CheckFinding[]> {
    const { entries, name: program } = this.#program;
    const found: CheckFinding[] = [];
    for (const [at, { hasOwn, hasShot, packets, reclassified }] of this.#entries.entries()) {
      const { hook, function: of } = entries[at]!;
      if (hook === 'xdp' || (hasOwn && !hasShot) || reclassified === undefined) continue;
      const source = await this.#lineOf(machine, reclassified);
      const which = entries.length === 1 ? '' : `${of}: `;
      found.push({
        invariant: INVARIANT,
        severity: ruleOf(INVARIANT).severity,
        summary: `${program}: ${which}${hasOwn ? BESIDE_OTHERS : ALONE.replace('N', packets.toLocaleString('en-US'))}`,
        confirmedBy: [machine.name],
        ...(source === undefined ? {} : { source: { file: source.file, line: source.line } }),
      });
    }
    return found;
  }

  /** The line that returns it, where the packet by itself or a second one like it shows it. */
  async #lineOf(machine: Engine, { world, stimulus }: Sighting): Promise<SourcePlaceWithText | undefined> {
    const runner = new CaseRunner(this.#program, machine);
    try {
      for (const stimuli of [[stimulus], [stimulus, stimulus]]) {
        const ran = await runner.run(world, stimuli);
        if (ran?.output.action[stimuli.length - 1] !== TC_ACT_RECLASSIFY) continue;
        return await decidingLine(this.#program, { world, stimuli });
      }
      return undefined;
    } finally {
      await runner.close();
    }
  }
}

const BESIDE_OTHERS =
  'TC_ACT_RECLASSIFY was returned, which is the number of XDP_DROP, beside TC_ACT_SHOT: to a classifier with direct action it is as if nothing had been said, and the packet goes on';
const ALONE =
  'TC_ACT_RECLASSIFY was returned, which is the number of XDP_DROP, and none of N packets came to TC_ACT_OK, TC_ACT_UNSPEC or TC_ACT_REDIRECT';

/** Of programs whose section does not say what they are, a sentence each: whoever loads them as another type gets another verdict. */
export function guessedTypes({ object, entries }: Pick<Program, 'object' | 'entries'>): string[] {
  if (object === undefined) return [];
  const tested = new Set(entries.map((one) => one.function));
  return programsIn(object)
    .filter((one) => one.isGuessed && tested.has(one.function))
    .map(
      ({ function: name, section }) =>
        `whether ${name} is a TC program: its section, "${section}", does not say so, its context (__sk_buff) does`,
    );
}

function programsIn(object: Uint8Array): ReturnType<typeof linkedObject>['programs'] {
  try {
    return linkedObject(object).programs;
  } catch (error) {
    // The run says what is wrong with the object.
    if (error instanceof ObjectError) return [];
    throw error;
  }
}
