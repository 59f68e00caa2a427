/** JUnit's XML, as build servers read it: suites of test cases, each with what happened in it. */
import { visibleLines } from '../sim/runtime/visible-text.ts';

/** What a test case holds decides how build servers count it. */
export type TestPart =
  | {
      readonly result: 'failure' | 'error' | 'skipped';
      readonly type: string | undefined;
      readonly message: string;
      readonly text: string;
    }
  | { readonly result: 'note'; readonly text: string };

export interface TestCase {
  readonly name: string;
  readonly seconds?: number;
  readonly parts: readonly TestPart[];
}

export function part(
  result: 'failure' | 'error' | 'skipped',
  type: string | undefined,
  message: string,
  text: string = '',
): TestPart {
  return { result, type, message, text };
}

export function testSuites(name: string, suites: readonly string[]): string {
  const head = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="${xmlText(name)}">`];
  return [...head, ...suites, '</testsuites>', ''].join('\n');
}

export function testSuite(
  name: string,
  cases: readonly TestCase[],
  seconds: number,
  properties: Readonly<Record<string, string>>,
): string[] {
  const number = (result: TestPart['result']): number =>
    cases.flatMap(({ parts }) => parts).filter((one) => one.result === result).length;
  const own = Object.entries(properties).map(
    ([key, value]) => `<property name="${xmlText(key)}" value="${xmlText(value)}"/>`,
  );
  return [
    `  <testsuite name="${xmlText(name)}" tests="${cases.length}" failures="${number('failure')}"` +
      ` errors="${number('error')}" skipped="${number('skipped')}" time="${seconds.toFixed(3)}">`,
    `    <properties>${own.join('')}</properties>`,
    ...cases.flatMap((one) => caseLines(name, one)),
    '  </testsuite>',
  ];
}

function caseLines(suite: string, { name, seconds, parts }: TestCase): string[] {
  const time = seconds === undefined ? '' : ` time="${seconds.toFixed(3)}"`;
  const open = `    <testcase classname="${xmlText(suite)}" name="${xmlText(name)}"${time}`;
  if (parts.length === 0) return [`${open}/>`];
  return [`${open}>`, ...parts.map((one) => `      ${partXml(one)}`), '    </testcase>'];
}

function partXml(one: TestPart): string {
  if (one.result === 'note') return `<system-out>${xmlText(one.text)}</system-out>`;
  const { result, type, message, text } = one;
  const open = `<${result}${type === undefined ? '' : ` type="${xmlText(type)}"`} message="${xmlText(message)}"`;
  return text === '' ? `${open}/>` : `${open}>${xmlText(text)}</${result}>`;
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
