/** What the kernel does with packets on which the machine stopped a program, for commands that run packets in order. */
import type { Engine } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch, Stimulus } from '../sim/packet/packet-batch.ts';
import { actionName, type Hook } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { kernelLines } from '../verify/explain/kernel-text.ts';
import { isAccepted, type KernelVerdict } from '../verify/kernel-verdict.ts';
import { KernelWitness } from '../verify/kernel-witness.ts';
import type { Outcome } from '../verify/outcome.ts';
import { placeOf } from '../verify/stops.ts';

/** The verdict on the first packet that was stopped at this place of the program. */
export interface AskedVerdict {
  readonly verdict: KernelVerdict;
  /** That packet, counted from 1. */
  readonly packet: number;
  /** Where it ran. */
  readonly hook: Hook;
}

/** So many packets before the one in question are run before it in the kernel: a sequence may have any length. */
const HISTORY = 1024;

export class AskedKernel {
  readonly #program: Program;
  readonly #witness: KernelWitness;
  readonly #verdicts = new Map<string, AskedVerdict>();
  #history: Stimulus[] = [];
  #before = 0;

  /** @param engine runs programs in the kernel */
  constructor(program: Program, engine: Engine) {
    this.#program = program;
    this.#witness = new KernelWitness(program, engine);
  }

  /**
   * Asks about each place where the machine stopped the program in the next packets of the sequence.
   * @param numbers of the packets, counted from 1; default: they follow those before
   */
  async about(
    world: World,
    input: PacketBatch,
    output: OutcomeBatch,
    numbers: readonly number[] = [],
  ): Promise<ReadonlyMap<number, AskedVerdict>> {
    const answers = new Map<number, AskedVerdict>();
    for (let index = 0; index < output.count; index++) {
      this.#history.push(input.stimulus(index));
      if (output.status[index] !== STATUS.violation) continue;
      const place = placeOf(output.notes.get(index));
      const known =
        this.#verdicts.get(place) ?? (await this.#ask(world, numbers[index] ?? this.#before + index + 1));
      this.#verdicts.set(place, known);
      answers.set(index, known);
    }
    this.#before += output.count;
    this.#history = this.#history.slice(-HISTORY);
    return answers;
  }

  async #ask(world: World, packet: number): Promise<AskedVerdict> {
    const stimuli = this.#history.slice(-HISTORY);
    const { hook } = this.#program.entries[stimuli.at(-1)?.entry ?? 0]!;
    return { verdict: await this.#witness.ask({ world, stimuli }, stimuli.length - 1), packet, hook };
  }
}

/** Lines below the violation of a packet. */
export function askedLines({ verdict, packet: asked, hook }: AskedVerdict, packet: number): string[] {
  if (packet !== asked) return [`The kernel: as for packet ${asked}.`];
  if (!isAccepted(verdict)) return kernelLines(verdict);
  const result = verdict.did === 'ran' ? [resultLine(verdict.outcome, hook)] : [];
  return [...kernelLines(verdict), ...result, 'The machine was wrong to stop it, a defect of xdpsim.'];
}

function resultLine({ status, action, packet }: Outcome, hook: Hook): string {
  if (status === 'unseen') return 'A test run does not show its result.';
  return `Its result: ${actionName(hook, action)}, ${packet.length} bytes.`;
}

/** Bytes as hexadecimal digits. */
export function askedToJson({ verdict, packet, hook }: AskedVerdict): object {
  if (verdict.did !== 'ran') return { ...verdict, packet };
  const { status, action, packet: bytes } = verdict.outcome;
  const result = { status, action: actionName(hook, action), bytes: Buffer.from(bytes).toString('hex') };
  return { did: 'ran', packet, ...(status === 'ran' ? result : { status }) };
}
