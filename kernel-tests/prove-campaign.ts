/**
 * Proves many programs and prints what came of it: `npm run prove-all -- built-in`, `field` or `specimens`, each with names
 * of programs behind it for these alone. A right program that fails is a false alarm; a faulty one that passes is missed, which the
 * faults that are none of one run (two CPUs, contents of maps) may be.
 */
import { readFileSync } from 'node:fs';
import { count, reportOf } from '../cli/prove/report.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { Solver } from '../sim/ebpf/symbolic/solver.ts';
import { programs } from '../sim/programs/index.ts';
import type { Program } from '../sim/runtime/program.ts';
import { proveProgram } from '../verify/prove/prove.ts';
import { createZ3Solver, endZ3 } from '../verify/prove/z3-solver.ts';
import { buildCheckSpecimen, CHECK_SPECIMENS } from './check-specimens/specimens.ts';
import { buildFieldProgram, FIELD_PROGRAMS } from './field/programs.ts';

interface Candidate {
  readonly name: string;
  readonly program: Program;
  /** Is there a fault in it that is to be found, or none? Undefined: nobody has said. */
  readonly isFaulty?: boolean;
}

const KINDS: Readonly<Record<string, () => Candidate[]>> = {
  'built-in': () =>
    programs.map((definition) => {
      const { name, entries } = definition;
      const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
      return { name, program: { name, entries, object, definition }, isFaulty: false };
    }),
  field: () => FIELD_PROGRAMS.map((one) => ({ name: one.name, program: buildFieldProgram(one) })),
  specimens: () =>
    CHECK_SPECIMENS.flatMap((one) =>
      one.hooks.flatMap((hook) =>
        [true, false].map((isFaulty) => ({
          name: `${one.name} ${hook} ${isFaulty ? `faulty (${one.invariant})` : 'right'}`,
          program: buildCheckSpecimen(one, hook, isFaulty),
          isFaulty,
        })),
      ),
    ),
};

const SECONDS = Number(process.env.XDPSIM_PROVE_SECONDS ?? 60);

async function main(kind: string, names: readonly string[]): Promise<void> {
  const candidates = KINDS[kind];
  if (candidates === undefined) throw new Error(`name one of ${Object.keys(KINDS).join(', ')}`);
  const solver = await createZ3Solver({ timeout: 5000 });
  if (solver === undefined) throw new Error('the package z3-solver is not installed');
  let decided = 0;
  let all = 0;
  for (const one of candidates()) {
    if (names.length > 0 && !names.some((name) => one.name.startsWith(name))) continue;
    all++;
    if (await prove(one, solver)) decided++;
  }
  console.log(`${decided} of ${all} programs with every branch decided`);
  await endZ3();
}

/** @returns whether every branch is decided */
async function prove({ name, program, isFaulty }: Candidate, solver: Solver): Promise<boolean> {
  let isDecided = true;
  const functions = new Map(program.entries.map((entry) => [entry.function, entry]));
  for (const entry of functions.values()) {
    const { after: _, ...alone } = entry;
    const before = process.cpuUsage();
    const proof = await proveProgram({ ...program, entries: [alone] }, { solver, time: SECONDS * 1000 });
    const { verdict } = reportOf(program, proof);
    const ways = (['reached', 'unreachable', 'undecided'] as const).map(
      (status) => `${count(proof.branches, status)} ${status}`,
    );
    const label =
      isFaulty === true && verdict === 'pass'
        ? 'missed: '
        : isFaulty === false && verdict === 'fail'
          ? 'FALSE ALARM: '
          : '';
    const { user, system } = process.cpuUsage(before);
    const seconds = `${proof.seconds.toFixed(1)} s (${((user + system) / 1e6).toFixed(1)} s of processor time)`;
    console.log(
      [`${label}${name}:${entry.function}`, verdict, `${proof.paths.length} paths`, ...ways, seconds].join(
        '  ',
      ),
    );
    const reasons = new Set(
      proof.branches.flatMap(({ status, reason }) => (status === 'undecided' ? [reason] : [])),
    );
    for (const reason of reasons) console.log(`    undecided: ${reason}`);
    for (const { invariant, status, reason } of proof.properties)
      if (status !== 'proved') console.log(`    ${invariant} ${status}: ${reason}`);
    isDecided &&= reasons.size === 0;
  }
  return isDecided;
}

const [kind = '', ...names] = process.argv.slice(2);
await main(kind, names);
