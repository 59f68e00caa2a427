/** All that a proof says of small programs: branches and why, paths in words and with their packets, properties, assumptions. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { World } from '../../sim/runtime/world.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { joinWords, wordsOf } from './words.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

/** What the oracle makes of a packet: `ipv4 good, tcp good`. */
function checksums(packet: Uint8Array): string {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ layer, status }) => found.push(`${CHECKSUM_LAYERS[layer]} ${CHECKSUM_STATUSES[status]}`),
  });
  return found.join(', ');
}

/** How many entries each map of a world has, and what else is in it. */
function surroundings({ maps = {}, ...others }: World): string {
  const sizes = Object.entries(maps).map(([name, entries]) => `${entries.length} in ${name}`);
  return [...sizes, ...Object.keys(others).sort()].join(', ');
}

function textOf({ branches, paths, properties, assumptions, cut, inputs }: ProgramProof): string[] {
  return [
    ...branches.map(
      ({ function: name, slot, taken, source, status, reason, because }) =>
        `${name}+${slot} ${taken ? 'taken' : 'not taken'} (${source?.line}): ${status}` +
        `${reason === undefined ? '' : `, ${reason}`}${because.length === 0 ? '' : ` (${because.map(({ line }) => line)})`}`,
    ),
    // In which order they are followed, and which of many packets shows one, may change.
    ...paths
      .map(({ state, witness, confirmed, reason, stopped }) => {
        const { stimulus, world, context } = witness ?? {};
        const beside = [
          ...(stimulus?.metadata === undefined ? [] : [`${stimulus.metadata.length} bytes of metadata`]),
          ...Object.keys(stimulus?.skb ?? {}),
          ...(context ?? []).map(([offset]) => `context ${offset}`),
        ];
        return (
          `${joinWords(wordsOf(inputs, state))}: ${confirmed ? 'confirmed' : 'not confirmed'}` +
          `${reason === undefined ? '' : `, ${reason}`}${stopped === undefined ? '' : `, stopped: ${stopped}`}` +
          `, ${stimulus === undefined ? 'no packet' : `${stimulus.packet.length} bytes [${checksums(stimulus.packet)}]`}` +
          ` in [${world === undefined ? '' : surroundings(world)}] with [${beside.join(', ')}]`
        );
      })
      .sort(),
    ...properties.map(
      ({ invariant, status, severity, reason, paths: asked, witness, confirmedBy, source }) =>
        `${invariant} (${severity}): ${status} on ${asked} paths${reason === undefined ? '' : `, ${reason}`}` +
        `${witness === undefined ? '' : `, ${checksums(witness.stimulus.packet)}`} ${confirmedBy} ${source?.line ?? ''}`.trimEnd(),
    ),
    ...assumptions,
    `cut: ${cut}`,
  ];
}

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
    const proof = await proveProgram({ name, entries: [one], object, definition }, { solver });
    await expect(`${textOf(proof).join('\n')}\n`).toMatchFileSnapshot(`recorded/${name}-${entry}.txt`);
  });
});
