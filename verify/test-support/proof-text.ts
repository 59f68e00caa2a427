/** What a proof says, as lines that can be recorded. */
import type { World } from '../../sim/runtime/world.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';
import type { ProgramProof } from '../prove/prove.ts';
import { joinWords, wordsOf } from '../prove/words.ts';

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

/** All that a proof says, a line each. */
export function proofText({ branches, paths, properties, assumptions, cut, inputs }: ProgramProof): string[] {
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
