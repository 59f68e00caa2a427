/** What a comparison of two builds says, as lines that can be recorded. */
import { packageFile } from '../../kernel/package-file.ts';
import type { DecidingPlace, Decision } from '../diff/decide.ts';
import { changesOf } from '../diff/describe.ts';
import type { DiffReport } from '../diff/diff.ts';

/** The same lines wherever the tree lies. */
const placed = (file: string): string => file.replace(packageFile(''), '');

function placeText(place: DecidingPlace | undefined): string {
  if (place === undefined) return 'nowhere';
  const { as, program, instruction, source } = place;
  return `${as} ${program}+${instruction}${source === undefined ? '' : ` ${placed(source.file)}:${source.line}`}`;
}

function decisionText({ old, new: next, changed }: Decision): string {
  const lines = [...changed.old, ...changed.new].map(({ line }) => line);
  return `${placeText(old)} / ${placeText(next)}${lines.length === 0 ? '' : `, changed ${lines}`}`;
}

/** All that a comparison says, a line each. */
export function diffText(report: DiffReport): string[] {
  const { pair, packets, swept, classes, isCut, notCompared, coverage, failure, interrupted } = report;
  const hits = (side: DiffReport['coverage']['old']): string =>
    (side?.functions ?? [])
      .map((one) => `${one.function} ${one.instructions.filter((count) => count > 0).length}`)
      .join();
  return [
    `${packets} packets, ${swept} swept${isCut ? ', more classes' : ''}${interrupted ? ', interrupted' : ''}` +
      `${failure === undefined ? '' : `, failed: ${JSON.stringify(failure)}`}; reached ${hits(coverage.old)} / ${hits(coverage.new)}`,
    ...notCompared.map((one) => `not compared: ${JSON.stringify(one)}`),
    ...classes.flatMap((one) => {
      const { finding, case: shown, state } = one;
      return [
        `${finding.field} on packet ${finding.packet}, ${one.packets} packets, ${state}${finding.isDoubtful ? ', doubtful' : ''}`,
        `  ${decisionText(finding.decision)}`,
        ...changesOf(pair, one).map(({ what, old, new: next }) => `  ${what}: ${old} → ${next}`),
        ...shown.stimuli.map(
          ({ packet, entry, ingressIfindex }) =>
            `  ${entry ?? 0} ${ingressIfindex ?? 0} ${Buffer.from(packet!).toString('hex')}`,
        ),
      ];
    }),
  ];
}
