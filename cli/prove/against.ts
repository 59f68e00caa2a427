/** `xdpsim prove A --against B`: two builds of a program, equal for all packets or told apart by one. */
import { runningKernel } from '../../kernel/libbpf/kernel-facts.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { DEFAULT_LIMITS } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { DiffReport } from '../../verify/diff/diff.ts';
import type { BuildPair } from '../../verify/diff/pair.ts';
import { type AgainstProof, proveAgainst, whyNotEqual } from '../../verify/prove/against/against.ts';
import { confirmSuspects, witnessesOf } from '../../verify/prove/against/confirm-suspects.ts';
import type { Saved } from '../../verify/report.ts';
import { resolveBuilds } from '../diff/builds.ts';
import { isIdentical, type ProgramPair, pairPrograms } from '../diff/pairs.ts';
import { saveExamples } from '../diff/save.ts';
import { createEngineAs, versionOption } from '../engines.ts';
import { withMaxEntries } from '../input/max-entries.ts';
import type { Terminal } from '../terminal.ts';
import { count } from '../terminal.ts';
import { framesText } from './claim.ts';
import type { ProveVerdict } from './report.ts';

export interface AgainstOptions {
  readonly solver: Solver;
  /** Seconds. */
  readonly time: number;
  readonly paths: number;
  readonly maxLength: number;
  readonly asKernel?: KernelVersion | undefined;
  readonly maxEntries: readonly string[];
  /** Where examples are saved; undefined: nowhere. */
  readonly report: string | undefined;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** What came of one program of both builds. */
export interface AgainstProgram {
  readonly name: string;
  readonly verdict: ProveVerdict;
  readonly reason: string;
  /** Undefined: the builds have the same instructions. */
  readonly proof: AgainstProof | undefined;
  /** The packets that tell them apart; undefined: none were to be run. */
  readonly report: DiffReport | undefined;
  /** By class. */
  readonly confirmedBy: readonly (readonly EngineName[])[];
  /** By class; empty where nothing was to be saved. */
  readonly saved: readonly Saved[];
  readonly words: { readonly old: readonly string[]; readonly new: readonly string[] };
}

export interface AgainstReport {
  readonly old: string;
  readonly new: string;
  /** Programs that only one build has. */
  readonly unpaired: readonly string[];
  readonly programs: readonly AgainstProgram[];
}

const SHRINK_SECONDS = 10;

/** @throws {Failure} where a build cannot be had */
export async function against(old: string, next: string, options: AgainstOptions): Promise<AgainstReport> {
  const builds = await resolveBuilds([old, next], { clang: [], flags: [] });
  // A map that only one of the builds has may be sized, too.
  const sized = withMaxEntries(
    builds.flatMap((build) => build.programs.map((one) => one.program)),
    options.maxEntries,
  ).values();
  const [first, second] = builds.map((build) => ({
    ...build,
    programs: build.programs.map((one) => ({ ...one, program: sized.next().value! })),
  }));
  const { pairs, unpaired } = pairPrograms(first!, second!);
  const programs: AgainstProgram[] = [];
  for (const pair of pairs) {
    if (options.signal.aborted) break;
    programs.push(await provePair(pair, options));
  }
  return { old: first!.label, new: second!.label, unpaired, programs };
}

async function provePair(
  { name, old, new: next }: ProgramPair,
  options: AgainstOptions,
): Promise<AgainstProgram> {
  const pair: BuildPair = { old: old.program, new: next.program };
  const words = wordsOf(pair, options.asKernel);
  const nothing = { name, report: undefined, confirmedBy: [], saved: [], words };
  if (isIdentical(pair))
    return { ...nothing, verdict: 'pass', reason: 'identical instructions', proof: undefined };
  const { terminal, signal } = options;
  const proof = await proveAgainst(pair, {
    solver: options.solver,
    limits: { ...DEFAULT_LIMITS, longest: options.maxLength },
    paths: options.paths,
    ...versionOption(options.asKernel),
    time: options.time * 1000,
    stopped: () => signal.aborted,
    onProgress: ({ paths, pairs }) =>
      terminal.progress(() => `${name}: ${count(paths)} paths, ${count(pairs)} pairs compared`),
  });
  terminal.clearProgress();
  if (proof.suspects.length === 0) return { ...nothing, ...verdictOf(proof), proof };
  const shown = await showSuspects(pair, proof, options.asKernel, signal);
  const saved = await saveExamples(shown.report, options.report);
  return { ...nothing, ...verdictOf(proof, shown.report), proof, ...shown, saved };
}

/** The words that name each build's program on a command line, and the kernel that it is run as. */
export function wordsOf(pair: BuildPair, asKernel: KernelVersion | undefined): AgainstProgram['words'] {
  const version = asKernel === undefined ? [] : ['--as-kernel', asKernel];
  const wordsFor = ({ commandLine = [] }: Program): string[] => [...commandLine, ...version];
  return { old: wordsFor(pair.old), new: wordsFor(pair.new) };
}

/** Runs what a proof suspects in both builds, in the kernel too where there is one. */
export async function showSuspects(
  pair: BuildPair,
  { suspects }: AgainstProof,
  asKernel: KernelVersion | undefined,
  signal: AbortSignal,
): Promise<{ readonly report: DiffReport; readonly confirmedBy: readonly (readonly EngineName[])[] }> {
  const kernel = createEngineAs('testrun', asKernel);
  const report = await confirmSuspects(pair, suspects, {
    engine: createEngineAs('wasm', asKernel),
    vm: { kernel: runningKernel, ...versionOption(asKernel) },
    kernel,
    shrinkSeconds: SHRINK_SECONDS,
    signal,
  });
  const confirmedBy: EngineName[][] = [];
  for (const one of report.classes) confirmedBy.push(await witnessesOf(pair, one, kernel));
  return { report, confirmedBy };
}

export function verdictOf(
  proof: AgainstProof,
  report?: DiffReport,
): { readonly verdict: ProveVerdict; readonly reason: string } {
  const fields = (report?.classes ?? []).map(({ finding }) => finding.field);
  if (fields.length > 0)
    return { verdict: 'fail', reason: `packets are treated differently: ${fields.join(', ')}` };
  if (proof.isEqual) return { verdict: 'pass', reason: `equal for ${framesText(proof)}` };
  const reason = whyNotEqual(proof) ?? 'it is not known whether they are equal';
  const isSuspected = proof.unseen === undefined && proof.suspects.length > 0;
  return {
    verdict: 'incomplete',
    reason: isSuspected ? `${reason}, and no packet was seen to show it` : reason,
  };
}
