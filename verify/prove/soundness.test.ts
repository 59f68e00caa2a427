/**
 * The paths of a program are all there, and none overlap: of every packet exactly one path's conditions hold, it is the one
 * that the machine takes, and what the path says of action, bytes and maps is what the machine comes to. And what the solver
 * calls unsatisfiable is so for a second solver.
 *
 * `npm run sound` goes further than a suite should: 100,000 packets for each program.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { Confirmer } from './confirm.ts';
import { followPaths, type ProvedPath } from './paths.ts';
import { proveProgram } from './prove.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const PACKETS = Number(process.env.XDPSIM_PROVE_PACKETS ?? 400);
const BATCH = 200;
const SEED = seedFromText('sound');

/** Programs whose outcome follows from the packet and empty maps. */
const PROGRAMS = (process.env.XDPSIM_PROVE_PROGRAMS ?? 'tcp_filter,redirect_map,layer_coop,meta_mark').split(
  ',',
);

let solver: Solver;
let second: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
  second = (await createZ3Solver({ second: true }))!;
});
afterAll(endZ3);

function builtIn(name: string, entry: number = 0): Program {
  const definition = programByName(name)!;
  const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
  return { name, entries: [definition.entries[entry]!], object, definition };
}

function fail(packet: Uint8Array, what: string | undefined): never {
  throw new Error(`${what}: ${Buffer.from(packet).toString('hex')}`);
}

/** The unknowns of one packet in a world that states nothing. */
function valuesOf(inputs: Inputs, packet: Uint8Array): Map<Term, bigint> {
  const values = new Map<Term, bigint>([
    [inputs.length, BigInt(packet.length)],
    [inputs.ingressIfindex, 1n],
  ]);
  for (const [at, byte] of packet.entries()) values.set(inputs.frameByte(at), BigInt(byte));
  return values;
}

/**
 * Paths by their conditions, those that begin alike together: a condition that many of them share is evaluated once, and
 * paths behind one that does not hold are not looked at.
 */
class PathIndex {
  readonly #root = new Branching();

  constructor(paths: readonly ProvedPath[]) {
    for (const [at, { state }] of paths.entries()) {
      let node = this.#root;
      for (const { condition } of state.constraints) node = node.behind(condition);
      node.ends.push(at);
    }
  }

  /** All paths whose conditions hold, every one of them. */
  holding(evaluator: Evaluator): number[] {
    const found: number[] = [];
    const waiting = [this.#root];
    while (waiting.length > 0) {
      const { ends, further } = waiting.pop()!;
      found.push(...ends);
      for (const [condition, node] of further) if (evaluator.isTrue(condition)) waiting.push(node);
    }
    return found;
  }
}

class Branching {
  /** Paths without further conditions. */
  readonly ends: number[] = [];
  readonly further: Map<Term, Branching> = new Map();

  behind(condition: Term): Branching {
    const known = this.further.get(condition) ?? new Branching();
    this.further.set(condition, known);
    return known;
  }
}

describe('paths', () => {
  for (const name of PROGRAMS) {
    it(`of ${name}: one for each packet, with its outcome`, { timeout: 600_000 + PACKETS * 40 }, async () => {
      const program = builtIn(name);
      const { inputs, paths, cut } = await followPaths(program, { solver, time: 600_000 });
      expect(cut).toBeUndefined();
      const confirmer = new Confirmer(program);
      const generator = new PacketGenerator(program.definition?.hints, [program.entries[0]!.hook]);
      const index = new PathIndex(paths);
      const taken = new Set<number>();
      let run = 0;
      for (let batch = 0; run < PACKETS && batch < PACKETS; batch++) {
        const packets = new PacketBatch(BATCH, BATCH * 512);
        generator.fill(packets, SEED, batch * BATCH, BATCH, NO_LIMITS);
        for (let at = 0; at < packets.count && run < PACKETS; at++) {
          const { packet } = packets.stimulus(at);
          if (packet.length > inputs.limits.longest) continue;
          run++;
          const values = valuesOf(inputs, packet);
          const evaluator = new Evaluator(values);
          const holding = index.holding(evaluator);
          const [path] = holding;
          if (path === undefined || holding.length > 1) fail(packet, `${holding.length} paths`);
          taken.add(path);
          const witness = { world: {}, stimulus: { packet }, values, context: [], rings: [], socket: [] };
          const { confirmed, reason } = confirmer.confirm(inputs, paths[path]!.state, witness);
          if (!confirmed) fail(packet, reason);
        }
      }
      expect(taken.size).toBeGreaterThan(name === 'meta_mark' ? 0 : 1);
    });
  }
});

describe('the solver', () => {
  it('calls nothing unsatisfiable that a second one satisfies', async () => {
    const asked: (readonly Term[])[] = [];
    const recording: Solver = {
      async check(conditions) {
        const answer = await solver.check(conditions);
        if (answer.status === 'unsatisfiable') asked.push(conditions);
        return answer;
      },
    };
    await proveProgram(builtIn('meta_mark', 1), { solver: recording, time: 600_000 });
    expect(asked.length).toBeGreaterThan(0);
    for (const conditions of asked.slice(0, 8)) {
      const again = await second.check(conditions);
      expect(again.status).not.toBe('satisfiable');
    }
  });
});
