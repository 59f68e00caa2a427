import { describe, expect, it } from 'vitest';
import type { BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { chooseEntries } from './hooks.ts';

const object = (...programs: [name: string, section: string, hook: Hook | undefined][]) => ({
  programs: programs.map(([name, section, hook]) => ({ function: name, section, hook }) as BpfProgram),
});

describe('the functions that are attached together', () => {
  it('are both halves of an object that has two', () => {
    const halves = object(['count_rx', 'xdp', 'xdp'], ['count_tx', 'tc', 'tc-ingress']);
    expect(chooseEntries('x.o', halves, undefined, [])).toEqual([
      { function: 'count_rx', hook: 'xdp' },
      { function: 'count_tx', hook: 'tc-egress' },
    ]);
  });

  it('go where the register says', () => {
    const bare = object(['marks', 'tc', 'tc-ingress']);
    expect(chooseEntries('x.o', bare, undefined, [{ function: 'marks', hook: 'tc-egress' }])).toEqual([
      { function: 'marks', hook: 'tc-egress' },
    ]);
  });

  it('go where their section says, whatever the register and their name say', () => {
    const clear = object(['count_tx', 'tcx/ingress', 'tc-ingress']);
    expect(chooseEntries('x.o', clear, undefined, [{ function: 'count_tx', hook: 'tc-egress' }])).toEqual([
      { function: 'count_tx', hook: 'tc-ingress' },
    ]);
  });

  it('go to ingress where nothing tells', () => {
    const [entry] = chooseEntries('x.o', object(['context', 'tc', 'tc-ingress']), undefined, []);
    expect(entry?.hook).toBe('tc-ingress');
  });

  it('are the one that is named', () => {
    const several = object(['a', 'xdp', 'xdp'], ['b', 'xdp', 'xdp'], ['probe', 'kprobe/x', undefined]);
    expect(chooseEntries('x.o', several, 'b', [])).toEqual([{ function: 'b', hook: 'xdp' }]);
    expect(() => chooseEntries('x.o', several, 'probe', [])).toThrow(
      'no XDP or TC program probe; it has a, b',
    );
  });

  it('are refused where two want the same hook', () => {
    const several = object(['t', 'tc', 'tc-ingress'], ['a', 'xdp', 'xdp'], ['b', 'xdp', 'xdp']);
    expect(() => chooseEntries('x.o', several, undefined, [])).toThrow(
      expect.objectContaining({
        kind: 'input',
        message: 'x.o has several programs for one hook: a, b',
        remedy: 'Name one: x.o:a',
      }),
    );
  });

  it('are refused where there are none', () => {
    expect(() => chooseEntries('x.o', object(['probe', 'kprobe/x', undefined]), undefined, [])).toThrow(
      'x.o has no XDP or TC program',
    );
  });
});
