/**
 * Whose fault it is that the machine stopped a program: the program's, or the machine's own where the kernel accepts
 * what it runs. Each place in the program is judged once.
 */
import type { Engine } from '../sim/engines/engine.ts';
import type { OutcomeNote } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import type { BatchReport } from './batch-report.ts';
import type { EngineFailure } from './engine-side.ts';
import { reasonAndPlace } from './explain/note-text.ts';
import { type Finding, kindOf } from './finding.ts';
import { isAccepted, type KernelVerdict } from './kernel-verdict.ts';
import { KernelWitness } from './kernel-witness.ts';
import type { Defect, Divergence } from './report.ts';
import { violationFindings } from './stops.ts';
import { testify } from './witness.ts';

export interface JudgeOptions {
  readonly program: Program;
  /** Runs programs in the kernel; is asked where none of the engines of a run does. */
  readonly kernel?: Engine;
  /** Knows why the machine stops a program: the interpreter. */
  readonly witness?: Engine;
}

export interface Judgement {
  readonly findings: Finding[];
  readonly defects: Defect[];
}

export class ViolationJudge {
  readonly #options: JudgeOptions;
  readonly #kernel: KernelWitness;
  readonly #defects = new Map<string, Defect>();
  readonly #findings = new Set<string>();

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#kernel = new KernelWitness(options.program, options.kernel);
  }

  /**
   * What there is to say about one batch: findings of places not met before, and defects with the batch's packets.
   * @param reports the most authoritative first
   * @param failure why a kernel that was among the engines does not run any more
   */
  async judge(
    world: World,
    input: PacketBatch,
    reports: readonly BatchReport[],
    failure: EngineFailure | undefined,
    seen: (packet: number) => Divergence['seen'],
  ): Promise<Judgement> {
    const judgement: Judgement = { findings: [], defects: [] };
    for (const { finding, packets } of violationFindings(reports)) {
      const kind = kindOf(finding);
      if (this.#findings.has(kind)) continue;
      const known = this.#defects.get(kind);
      if (known !== undefined) {
        judgement.defects.push({ ...known, packets, seen: seen(finding.packet) });
        continue;
      }
      const verdict = await this.#kernel.of(world, input, finding.packet, reports, failure);
      if (isAccepted(verdict)) {
        const note = await this.#noteOf(finding, world, input);
        const defect = defectOf(finding, note, verdict, packets, seen(finding.packet));
        this.#defects.set(kind, defect);
        judgement.defects.push(defect);
      } else {
        this.#findings.add(kind);
        judgement.findings.push({ ...finding, kernel: verdict });
      }
    }
    return judgement;
  }

  /** Forgets what it has judged. */
  clear(): void {
    this.#defects.clear();
    this.#findings.clear();
  }

  /** Compiled code knows where it stops; the interpreter also knows why. */
  async #noteOf(
    { engines, packet, got }: Finding,
    world: World,
    input: PacketBatch,
  ): Promise<OutcomeNote | undefined> {
    const { program, witness } = this.#options;
    if (witness === undefined || engines[1] === witness.name) return got?.note;
    const stimuli = Array.from({ length: packet + 1 }, (_, index) => input.stimulus(index));
    const outcome = await testify(witness, program, { program: program.name, world, stimuli }, packet);
    return outcome?.status === 'violation' ? outcome.note : got?.note;
  }
}

function defectOf(
  { engines }: Finding,
  note: OutcomeNote | undefined,
  verdict: KernelVerdict,
  packets: number,
  seen: Divergence['seen'],
): Defect {
  const what = verdict.did === 'ran' ? 'ran' : 'accepts';
  const why = note === undefined ? 'it does not say why' : reasonAndPlace(note);
  return {
    engine: engines[1],
    summary: `the machine (${engines[1]}) refused what this kernel ${what}: ${why}, a defect of xdpsim`,
    ...(note?.instruction === undefined ? {} : { instruction: note.instruction }),
    ...(note?.source === undefined ? {} : { source: { file: note.source.file, line: note.source.line } }),
    packets,
    seen,
  };
}
