/** Compiled objects, and what reads them: the loader, the machine, `check`, `prove`, the listing with its lines. */
import { parseBtf } from '../../../sim/ebpf/btf.ts';
import { disassemble } from '../../../sim/ebpf/disassemble.ts';
import { lcov } from '../../../sim/ebpf/lcov.ts';
import { readElf } from '../../../sim/ebpf/loader/elf.ts';
import { loadObject } from '../../../sim/ebpf/object.ts';
import { NO_SOLVER, type Solver } from '../../../sim/ebpf/symbolic/solver.ts';
import { initialWorldFile } from '../../../sim/ebpf/world-file/init.ts';
import type { Engine } from '../../../sim/engines/engine.ts';
import { OutcomeBatch } from '../../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../../sim/engines/vm.ts';
import { createWasmEngine } from '../../../sim/engines/wasm.ts';
import { PacketBatch } from '../../../sim/packet/packet-batch.ts';
import type { Program } from '../../../sim/runtime/program.ts';
import { check } from '../../../verify/check/check.ts';
import { proveProgram } from '../../../verify/prove/prove.ts';
import { createZ3Solver } from '../../../verify/prove/z3-solver.ts';
import { unreachedOf } from '../../../verify/unreached.ts';
import { damageBytes } from '../damage/bytes.ts';
import { oneOf } from '../damage/damage.ts';
import { damageTables } from '../damage/object.ts';
import { filesIn, type InputKind } from './input-kind.ts';

const objects = filesIn('bpf/built', /\.o$/);

const damageCode = damageTables((name) => name === 'code' || name.startsWith('.rel'));
const damageAll = damageTables(() => true);
/** What the symbolic reader and its solver are given: a little of everything. */
const FRAMES = { shortest: 0, longest: 64, mostMetadata: 8 };

function btfOf(object: Uint8Array): Uint8Array[] {
  return readElf(object)
    .sections.filter((section) => section.name === '.BTF')
    .map((section) => section.data.bytes.slice());
}

/** The first program of the object; undefined where it has none for a hook that is known. */
function programOf(bytes: Uint8Array): Program | undefined {
  const entry = loadObject(bytes).programs.find(({ hook }) => hook !== undefined);
  if (entry?.hook === undefined) return undefined;
  return { name: 'attacked', entries: [{ function: entry.function, hook: entry.hook }], object: bytes };
}

/** What loads is also run: the machine must stop what no verifier has seen. */
async function runOn(engine: Engine, bytes: Uint8Array): Promise<void> {
  const program = programOf(bytes);
  if (program === undefined) return;
  const session = await engine.open(program, {});
  const input = new PacketBatch(2);
  input.push({ packet: new Uint8Array(60) });
  await session.run(input, new OutcomeBatch(2));
  await session.close();
}

/** Everything that shows an object's types, lines and instructions. */
async function show(bytes: Uint8Array): Promise<void> {
  const object = loadObject(bytes);
  for (const program of object.programs) disassemble(object, program);
  initialWorldFile(object, { name: 'attacked.o' });
  const program = programOf(bytes);
  if (program === undefined) return;
  const session = await createVmEngine().open(program, {});
  const coverage = session.coverage?.();
  await session.close();
  if (coverage === undefined) return;
  lcov(coverage);
  unreachedOf(object, coverage, program.entries);
}

async function checkShortly(bytes: Uint8Array): Promise<void> {
  const program = programOf(bytes);
  if (program === undefined) return;
  await check({
    program,
    machine: createWasmEngine(),
    witness: createVmEngine(),
    seed: 'attack',
    runs: 64,
    effort: 2_000,
    sweeps: false,
    shrinkSeconds: 0.01,
  });
}

async function proveShortly(bytes: Uint8Array, solver: Solver): Promise<void> {
  const program = programOf(bytes);
  if (program === undefined) return;
  await proveProgram(program, { solver, limits: FRAMES, paths: 6, time: 100 });
}

let z3: Promise<Solver | undefined> | undefined;

async function proveWithSolver(bytes: Uint8Array): Promise<void> {
  z3 ??= createZ3Solver({ timeout: 20 });
  await proveShortly(bytes, (await z3) ?? NO_SOLVER);
}

export const OBJECT_KINDS: readonly InputKind[] = [
  {
    name: 'ELF',
    share: 60,
    seeds: objects,
    damage: damageBytes,
    read: (bytes) => runOn(createVmEngine(), bytes),
  },
  {
    name: 'ELF tables',
    share: 4,
    seeds: objects,
    damage: damageAll,
    read: (bytes) => runOn(createVmEngine(), bytes),
  },
  {
    name: 'instructions',
    share: 4,
    seeds: objects,
    damage: damageCode,
    read: (bytes) => runOn(createWasmEngine(), bytes),
  },
  { name: 'BTF', share: 150, seeds: objects.flatMap(btfOf), damage: damageBytes, read: parseBtf },
  {
    name: 'types and lines',
    share: 4,
    seeds: objects,
    damage: damageTables((name) => name.startsWith('.BTF')),
    read: show,
  },
  {
    name: 'check',
    share: 1,
    seeds: objects,
    damage: oneOf(damageCode, damageAll),
    read: checkShortly,
  },
  {
    name: 'prove',
    share: 1,
    seeds: objects,
    damage: oneOf(damageCode, damageAll),
    read: (bytes) => proveShortly(bytes, NO_SOLVER),
  },
  {
    name: 'prove with z3',
    share: 1,
    seeds: objects,
    damage: damageCode,
    read: proveWithSolver,
  },
];
