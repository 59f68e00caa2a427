/** The report of `check` as JUnit XML: a test suite for each program, a test case for its verdict and each finding. */
import { part, type TestCase, testSuite, testSuites } from '../junit.ts';
import { alsoText } from './also.ts';
import type { JudgedProgram } from './judged.ts';

export function checkToJunit(judged: readonly JudgedProgram[], seed: string): string {
  return testSuites(
    'xdpsim check',
    judged.flatMap(({ program, checked, findings, thresholds }) => {
      const { verdict, reason, seconds, report } = checked;
      const cases: TestCase[] = [
        {
          name: 'verdict',
          seconds,
          parts:
            verdict === 'incomplete'
              ? [part('failure', 'incomplete', reason)]
              : [{ result: 'note', text: `${verdict}: ${reason}` }],
        },
        ...findings.map(({ finding, path, line, accepted }): TestCase => {
          const { invariant, severity, summary, file } = finding;
          const place = `${path}:${line}`;
          const name = `${invariant} (${place})`;
          if (accepted !== undefined)
            return { name, parts: [part('skipped', undefined, `accepted: ${accepted}`)] };
          const also = alsoText(finding, Number.POSITIVE_INFINITY) ?? [];
          const details = [place, ...(file === undefined ? [] : [`case: ${file}`])].concat(also).join('\n');
          const fails = severity === 'error' || (severity === 'warning' && thresholds.strict === true);
          if (!fails)
            return { name, parts: [{ result: 'note', text: `${severity}: ${summary}\n${details}` }] };
          return { name, parts: [part('failure', invariant, summary, details)] };
        }),
      ];
      return testSuite(program.name, cases, seconds, { seed, packets: String(report.packets) });
    }),
  );
}
