import { describe, expect, it } from 'vitest';
import { isLeftoverName, nextRunName, runPrefix } from './run-name.ts';

describe.runIf(process.platform === 'linux')('the name of what a run makes', () => {
  it('never comes twice', () => {
    expect(nextRunName()).not.toBe(nextRunName());
  });

  it('says of a living run that it lives', () => {
    expect(isLeftoverName(nextRunName())).toBe(false);
  });

  it('says of a process that does not exist that it is dead', () => {
    // Pids end at 4,194,304 (include/linux/threads.h, PID_MAX_LIMIT).
    expect(isLeftoverName('xdpsim-4194305-100-0')).toBe(true);
  });

  it('tells a process from another that has got its pid since', () => {
    const [, pid, start] = /^xdpsim-(\d+)-(\d+)-$/.exec(runPrefix())!;
    expect(isLeftoverName(`xdpsim-${pid}-${Number(start) - 1}-0`)).toBe(true);
  });

  it.each(['xdpsim', 'xdpsim-lab', 'xdpsim-1-2', 'xdpsim-1-2-3-4', 'my-xdpsim-1-2-3', 'xdpsim-1-2-3.bak'])(
    'leaves the foreign name %s alone',
    (name) => {
      expect(isLeftoverName(name)).toBe(false);
    },
  );
});
