/**
 * Findings as SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0), in the part that GitHub's code scanning reads: rules,
 * results with places relative to the repository, and fingerprints by which a finding is known again.
 */
import { createHash } from 'node:crypto';
import { RULES } from '../../verify/invariants/rules.ts';
import { version } from '../version.ts';
import { summaryOf } from './also.ts';
import type { JudgedProgram, NamedFinding } from './judged.ts';

const LEVELS = { error: 'error', warning: 'warning', info: 'note' } as const;
const HOME = 'https://www.npmjs.com/package/xdpsim';

/** @param interrupted was the run ended from outside before it was done? */
export function toSarif(judged: readonly JudgedProgram[], interrupted = false): unknown {
  const ids = new Set(judged.flatMap(({ findings }) => findings.map(({ finding }) => finding.invariant)));
  const rules = RULES.filter(({ id }) => ids.has(id));
  const indices = new Map(rules.map(({ id }, at) => [id, at]));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'xdpsim',
            semanticVersion: version(),
            informationUri: HOME,
            rules: rules.map(({ id, severity, title, why }) => ({
              id,
              name: nameOf(id),
              shortDescription: { text: title },
              fullDescription: { text: why },
              help: { text: why, markdown: `**${title}**\n\n${why}` },
              defaultConfiguration: { level: LEVELS[severity] },
              properties: { tags: ['xdp', 'ebpf', id.split('/')[0]], precision: 'high' },
            })),
          },
        },
        automationDetails: { id: 'xdpsim/check/' },
        invocations: [invocationOf(judged, interrupted)],
        columnKind: 'utf16CodeUnits',
        results: judged.flatMap(({ program, findings }) =>
          findings.map((one) => resultOf(one, program.name, indices)),
        ),
      },
    ],
  };
}

/** Without results, a run that did not see enough looks like one that found nothing: it says why it is none. */
function invocationOf(judged: readonly JudgedProgram[], interrupted: boolean): unknown {
  const reasons = judged.flatMap(({ program, checked: { verdict, reason } }) =>
    verdict === 'incomplete' ? [`${program.name}: INCOMPLETE: ${reason}`] : [],
  );
  if (interrupted) reasons.push('the run was interrupted: not all programs were checked to the end');
  if (reasons.length === 0) return { executionSuccessful: true };
  const notifications = reasons.map((text) => ({ level: 'error', message: { text } }));
  return { executionSuccessful: false, toolExecutionNotifications: notifications };
}

function resultOf(
  { finding, fingerprint, path, line, accepted }: NamedFinding,
  program: string,
  indices: ReadonlyMap<string, number>,
): unknown {
  const { invariant, severity, file, confirmedBy, also = [] } = finding;
  return {
    ruleId: invariant,
    ...(indices.has(invariant) ? { ruleIndex: indices.get(invariant) } : {}),
    level: LEVELS[severity],
    message: { text: summaryOf(finding) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(path), ...(path.startsWith('/') ? {} : { uriBaseId: '%SRCROOT%' }) },
          region: { startLine: line },
        },
        logicalLocations: [{ name: program, kind: 'function' }],
      },
    ],
    partialFingerprints: {
      'xdpsim/v1': fingerprint,
      // GitHub would compute this from the line's surroundings, which move.
      primaryLocationLineHash: `${createHash('sha256').update(fingerprint).digest('hex').slice(0, 16)}:1`,
    },
    properties: {
      confirmedBy,
      ...(file === undefined ? {} : { case: file }),
      ...(also.length === 0 ? {} : { also: also.map((one) => one.invariant) }),
    },
    ...(accepted === undefined ? {} : { suppressions: [{ kind: 'external', justification: accepted }] }),
  };
}

/** A relative reference (RFC 3986, 4.2), or a `file:` URI. */
function uriOf(path: string): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return path.startsWith('/') ? `file://${encoded}` : encoded;
}

/** `checksum/udp-zero-lost` as `ChecksumUdpZeroLost`: what GitHub wants of a rule's name. */
function nameOf(id: string): string {
  return id
    .split(/[/-]/)
    .map((word) => `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`)
    .join('');
}
