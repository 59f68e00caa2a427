/** The report of `verify` as JUnit XML, for build servers: a test suite per program, a test case per engine. */
import { visibleLines } from '../sim/runtime/visible-text.ts';
import { keptLines } from '../verify/explain/kept.ts';
import type { ProgramReport } from '../verify/report.ts';

export function toJunit(reports: readonly ProgramReport[], seed: string): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="xdpsim verify">'];
  for (const report of reports) {
    const failures = report.divergences.length;
    const ended = report.failure === undefined ? 0 : 1;
    const errors = report.engines.filter((engine) => engine.status === 'failed').length + ended;
    const skipped = report.engines.filter((engine) => engine.status === 'skipped').length;
    // Each divergence belongs to the second of its engines: the first is the reference.
    lines.push(
      `  <testsuite name="${xmlText(report.name)}" tests="${report.engines.length + ended}" failures="${failures}"` +
        ` errors="${errors}" skipped="${skipped}" time="${report.seconds.toFixed(3)}">`,
      `    <properties><property name="seed" value="${xmlText(seed)}"/><property name="packets" value="${report.packets}"/></properties>`,
    );
    if (report.failure !== undefined) {
      lines.push(
        `    <testcase classname="${xmlText(report.name)}" name="run">`,
        `      <error message="${xmlText(report.failure.message)}"/>`,
        '    </testcase>',
      );
    }
    for (const engine of report.engines) {
      const open = `    <testcase classname="${xmlText(report.name)}" name="${engine.name}" time="${engine.seconds.toFixed(3)}"`;
      const inside = [
        ...report.divergences
          .filter((divergence) => divergence.engines[1] === engine.name)
          .map(
            (divergence) =>
              `      <failure type="${xmlText(divergence.field)}" message="${xmlText(divergence.summary)}">${xmlText(keptLines(divergence).join('\n'))}</failure>`,
          ),
        ...(engine.status === 'failed' ? [`      <error message="${xmlText(engine.reason ?? '')}"/>`] : []),
        ...(engine.status === 'skipped'
          ? [`      <skipped message="${xmlText(engine.reason ?? '')}"/>`]
          : []),
      ];
      if (inside.length === 0) lines.push(`${open}/>`);
      else lines.push(`${open}>`, ...inside, '    </testcase>');
    }
    lines.push('  </testsuite>');
  }
  lines.push('</testsuites>', '');
  return lines.join('\n');
}

/** Control characters, which XML 1.0 mostly cannot hold at all, are shown as they are on a terminal. */
function xmlText(text: string): string {
  return (
    visibleLines(text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // No characters in XML 1.0 (§2.2).
      .replaceAll(/[\ufffe\uffff]/g, '\ufffd')
  );
}
