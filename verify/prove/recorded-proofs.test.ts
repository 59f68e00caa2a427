/** All that a proof says of small programs: branches and why, paths in words and with their packets, properties, assumptions. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { OWN_SPECIMENS } from '../../kernel-tests/check-specimens/specimens.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { programByName } from '../../sim/programs/index.ts';
import { proofText } from '../test-support/proof-text.ts';
import { proveProgram } from './prove.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 600_000 }))!;
});
afterAll(endZ3);

describe('a proof', () => {
  it.each([
    ['router', 0],
    ['redirect_map', 0],
    ['meta_mark', 0],
    ['meta_mark', 1],
    ['layer_coop', 0],
    ['layer_coop', 1],
    ['tcp_filter', 0],
    ['account', 0],
    ['proto_count', 0],
    ['icmp_filter', 0],
    ['xdp_trace_drop', 0],
  ] as const)('of %s (entry %i) is as recorded', async (name, entry) => {
    const definition = programByName(name)!;
    const one = definition.entries[entry]!;
    const object = new Uint8Array(readFileSync(packageFile(`bpf/built/${name}.o`)));
    const proof = await proveProgram({ name, entries: [one], object, definition }, { solver, time: 600_000 });
    await expect(`${proofText(proof).join('\n')}\n`).toMatchFileSnapshot(`recorded/${name}-${entry}.txt`);
  });
});

/** The solver takes seconds. */
const SLOW: readonly string[] = ['backend_tunnel', 'tcp_assumed'];

describe.each(['xdp', 'tc-ingress'] as const)('a proof of faulty programs at %s', (hook) => {
  it.each(['answers', 'redirects', 'garbage', 'null', 'protocols', 'tunnels', 'translators', 'sums'])(
    '(%s) is as recorded',
    async (source) => {
      const name = hook === 'xdp' ? source : `${source}-tc`;
      const object = new Uint8Array(readFileSync(new URL(`../check/recorded/${name}.o`, import.meta.url)));
      const lines: string[] = [];
      for (const { name: entry, source: own, hooks } of OWN_SPECIMENS) {
        if (basename(own) !== source || !hooks.includes(hook) || SLOW.includes(entry)) continue;
        const proof = await proveProgram(
          { name: entry, entries: [{ function: entry, hook }], object },
          { solver, time: 600_000 },
        );
        lines.push(`## ${entry}`, ...proofText(proof), '');
      }
      await expect(lines.join('\n')).toMatchFileSnapshot(`recorded/specimens-${name}.txt`);
    },
  );
});
