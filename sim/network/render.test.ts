import { describe, expect, it } from 'vitest';
import { ethernet } from '../packet/build.ts';
import { toHex } from '../packet/bytes.ts';
import type { ScenarioDifference } from './compare.ts';
import type { Hop } from './path.ts';
import { runsToJson, stepText } from './render.ts';
import type { ScenarioRun, StepRun } from './run.ts';
import type { Scenario } from './scenario.ts';

const bytes = ethernet().ipv4({ source: '10.0.0.1', destination: '10.0.0.2' }).echoRequest().bytes();
const other = bytes.slice();
other[22]!--;

function hop(device: string, direction: Hop['direction'], mark = 0, frame = bytes): Hop & { kind: 'hop' } {
  return { kind: 'hop', namespace: 'left', device, direction, bytes: frame, mark };
}

const scenario: Scenario = {
  name: 'two hosts',
  description: 'One of them asks.',
  namespaces: [],
  wires: [],
  steps: [{ name: 'ask' }] as unknown as Scenario['steps'],
};

describe('a run of a scenario', () => {
  it('as JSON has its path and its events, with marks where there are any', () => {
    const step: StepRun = {
      path: [hop('a', 'out', 7), hop('b', 'in')],
      events: [
        { kind: 'note', namespace: 'left', text: 'knows the way' } as StepRun['events'][number],
        hop('a', 'out', 7),
      ],
    };
    const run: ScenarioRun = { steps: [step], maps: [] };
    const frame = { namespace: 'left', bytes: toHex(bytes) };
    expect(runsToJson(scenario, { sim: run, kernel: run }, undefined, ['odd'])).toEqual({
      version: 1,
      scenario: 'two hosts',
      description: 'One of them asks.',
      agree: true,
      unexpected: ['odd'],
      steps: [
        {
          name: 'ask',
          sim: {
            path: [
              { ...frame, device: 'a', direction: 'out', mark: 7 },
              { ...frame, device: 'b', direction: 'in' },
            ],
            events: [
              { kind: 'note', namespace: 'left', text: 'knows the way' },
              { kind: 'hop', ...frame, device: 'a', direction: 'out', mark: 7 },
            ],
          },
          kernel: expect.anything(),
        },
      ],
      maps: { sim: [], kernel: [] },
    });
  });

  it('as JSON of one place says nothing of agreement', () => {
    const run: ScenarioRun = { steps: [{ path: [], events: [] }], maps: [] };
    expect(runsToJson(scenario, { sim: run }, undefined, [])).not.toHaveProperty('agree');
    const difference: ScenarioDifference = { summary: 'left:a: one frame more', details: ['it'] };
    expect(runsToJson(scenario, { sim: run, kernel: run }, difference, [])).toMatchObject({
      agree: false,
      difference,
    });
  });

  it('as text has a line for each wire that a frame crosses, with its mark', () => {
    const line = (mark: number): string[] =>
      stepText({ path: [], events: [hop('a', 'out', mark), hop('b', 'in')] });
    expect(line(0)).toEqual([
      expect.stringMatching(/^left:a → left:b {2}\d+ bytes: 10\.0\.0\.1 → 10\.0\.0\.2, Echo$/),
    ]);
    expect(line(5)).toEqual([expect.stringMatching(/^left:a → left:b {2}\d+ bytes, mark 5: /)]);
    expect(stepText({ path: [], events: [] })).toEqual(['nothing leaves any device']);
  });

  it('as text has what a program returned, where it sends a frame, what it printed, or why it was stopped', () => {
    const program = (more: object): string[] =>
      stepText({
        path: [],
        events: [
          {
            kind: 'program',
            namespace: 'left',
            device: 'a',
            hook: 'xdp',
            function: 'echo',
            action: 'XDP_TX',
            trace: [],
            ...more,
          } as unknown as StepRun['events'][number],
        ],
      });
    expect(program({})).toEqual(['    left:a xdp echo: XDP_TX']);
    expect(program({ action: 'XDP_REDIRECT', target: 'b', trace: ['one', 'two'] })).toEqual([
      '    left:a xdp echo: XDP_REDIRECT to b',
      '        one',
      '        two',
    ]);
    expect(program({ fault: 'R1 !read_ok' })).toEqual(['    left:a xdp echo: stopped: R1 !read_ok']);
  });

  it('as text shows what XDP passes where that has changed', () => {
    const lines = (up: Uint8Array): string[] =>
      stepText({ path: [], events: [hop('a', 'out'), hop('b', 'in'), hop('b', 'up', 0, up)] });
    expect(lines(bytes)).toHaveLength(1);
    expect(lines(other)[1]).toMatch(/^ {4}left:b passes up \d+ bytes: /);
  });
});
