/** Asks the kernel about a packet on which the machine stopped the program. */
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { isKernel } from '../sim/engines/register.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import type { BatchReport } from './batch-report.ts';
import { type EngineFailure, EngineSide } from './engine-side.ts';
import type { KernelVerdict } from './kernel-verdict.ts';
import { type Outcome, outcomeAt } from './outcome.ts';

export class KernelWitness {
  readonly #program: Program;
  readonly #engine: Engine | undefined;

  /** @param engine runs programs in the kernel; undefined: nobody can be asked */
  constructor(program: Program, engine: Engine | undefined) {
    this.#program = program;
    this.#engine = engine;
  }

  /**
   * @param reports of the same batch; a kernel among them has said already what there is to say
   * @param failure why a kernel that was among the engines does not run any more
   */
  async of(
    world: World,
    input: PacketBatch,
    packet: number,
    reports: readonly BatchReport[],
    failure: EngineFailure | undefined,
  ): Promise<KernelVerdict> {
    const kernel = reports.find(({ engine }) => isKernel(engine.name));
    if (kernel !== undefined) return ofOutcome(outcomeAt(kernel.output, packet));
    if (failure !== undefined) return ofFailure(failure);
    const stimuli = Array.from({ length: packet + 1 }, (_, index) => input.stimulus(index));
    return this.ask({ world, stimuli }, packet);
  }

  /** Runs the case's packets up to this one, those that the kernel takes, in a session of its own. */
  async ask({ world, stimuli }: Pick<Case, 'world' | 'stimuli'>, packet: number): Promise<KernelVerdict> {
    if (this.#engine === undefined) return { did: 'not asked', why: 'no engine here runs in the kernel' };
    const availability = this.#engine.availability(this.#program);
    if (!availability.available) return { did: 'not asked', why: availability.reason };
    const side = new EngineSide(this.#engine, this.#program, packet + 1);
    try {
      const taken = new PacketBatch(packet + 1);
      const single = new PacketBatch(1);
      let rule: string | undefined;
      for (const stimulus of stimuli.slice(0, packet + 1)) {
        single.clear();
        single.push(stimulus);
        rule = side.refusal(single);
        if (rule === undefined) taken.push(stimulus);
      }
      if (!(await side.run(world, taken))) return ofFailure(side.failure!);
      return rule === undefined
        ? ofOutcome(outcomeAt(side.output, taken.count - 1))
        : { did: 'accepted', why: rule };
    } finally {
      await side.close();
    }
  }
}

function ofOutcome(outcome: Outcome): KernelVerdict {
  if (outcome.status !== 'fault') return { did: 'ran', outcome };
  return { did: 'accepted', why: outcome.note?.message ?? 'the kernel did not run this packet' };
}

function ofFailure({ kind, message, log, ofWorld }: EngineFailure): KernelVerdict {
  // A world that cannot be made says nothing of the program.
  if (kind !== 'input' || ofWorld === true) return { did: 'not asked', why: message };
  return { did: 'refused', message, ...(log === undefined ? {} : { log }) };
}
