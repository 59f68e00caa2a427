import { describe, expect, it } from 'vitest';
import { makerOf, nextRunName, type PidView, runPrefix, startOfLiving } from './run-name.ts';

const HERE: PidView = {
  space: '0123456789ab',
  complete: true,
  startTime: (pid) => (pid === 7 ? 100 : undefined),
};

describe('the name of what a run makes', () => {
  it('never comes twice', () => {
    expect(nextRunName()).not.toBe(nextRunName());
  });

  it('tells that its maker lives, or is dead', () => {
    expect(makerOf('xdpsim-7-100-0123456789ab-0', HERE)).toBe('living');
    expect(makerOf('xdpsim-8-100-0123456789ab-0', HERE)).toBe('dead');
  });

  it('tells a process from another that has got its pid since', () => {
    expect(makerOf('xdpsim-7-99-0123456789ab-0', HERE)).toBe('dead');
  });

  it.each([
    ['another PID namespace or another boot', 'xdpsim-8-100-ba9876543210-0', HERE],
    [
      'a namespace whose processes /proc does not show',
      'xdpsim-8-100-0123456789ab-0',
      { ...HERE, complete: false },
    ],
  ])('tells nothing of a maker from %s', (_, name, view) => {
    expect(makerOf(name, view)).toBe('unknown');
  });

  it.each([
    'xdpsim',
    'xdpsim-lab',
    'xdpsim-1-2',
    'xdpsim-1-2-3',
    'xdpsim-1-2-3-4',
    'xdpsim-1-2-0123456789ab-4-5',
    'my-xdpsim-1-2-0123456789ab-3',
    'xdpsim-1-2-3.bak',
  ])('leaves the foreign name %s alone', (name) => {
    expect(makerOf(name, HERE)).toBeUndefined();
  });

  it.each([
    ['a process that runs', '7 (node) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 0', 100],
    ['one with a wicked name', '7 (a) Z (b) R 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 100 0', 100],
    [
      'one that waits to be reaped',
      '7 (node) Z 1 7 7 0 -1 4194564 1 2 3 4 5 6 7 8 20 0 1 0 100 0',
      undefined,
    ],
    [
      'one that the kernel takes apart',
      '7 (node) D 1 7 7 0 -1 4194564 1 2 3 4 5 6 7 8 20 0 1 0 100 0',
      undefined,
    ],
    ['none', '', undefined],
  ])('has a start time, if alive: %s', (_, stat, start) => {
    expect(startOfLiving(stat)).toBe(start);
  });

  it.runIf(process.platform === 'linux')('says of this process that it lives', () => {
    expect(makerOf(nextRunName())).toBe('living');
    expect(runPrefix()).toMatch(/^xdpsim-\d+-[1-9]\d*-[0-9a-f]{12}-$/);
  });
});
