import { describe, expect, it } from 'vitest';
import {
  byRank,
  ENGINE_NAMES,
  ENGINES,
  type EngineName,
  isKernel,
  isMachine,
  isModel,
  rankOf,
} from './register.ts';

describe('the register of engines', () => {
  it('joins a run with all but what touches the network and what repeats another', () => {
    expect(ENGINES.filter((one) => one.byDefault).map(({ name }) => name)).toEqual([
      'model',
      'testrun',
      'wasm',
    ]);
  });

  it('ranks what says what should be before what says what is, and the kernel before the machine', () => {
    const kinds = ENGINE_NAMES.map((name) => [isModel(name), isKernel(name), isMachine(name)].indexOf(true));
    expect(kinds).toEqual([...kinds].sort((a, b) => a - b));
    expect(new Set(kinds)).toEqual(new Set([0, 1, 2]));
  });

  it('sorts by place, whatever the order was', () => {
    const items = [...ENGINE_NAMES].reverse().map((name) => ({ engine: { name } }));
    expect(byRank(items).map(({ engine }) => engine.name)).toEqual(ENGINE_NAMES);
  });

  it('takes the oracle for none of them', () => {
    expect([isModel('oracle'), isKernel('oracle'), isMachine('oracle')]).toEqual([false, false, false]);
  });

  it('gives an engine that is missing from it no rank and no kind', () => {
    const stranger = 'stranger' as EngineName;
    expect(() => rankOf(stranger)).toThrow('engine “stranger” is not registered');
    expect(() => isKernel(stranger)).toThrow('engine “stranger” is not registered');
    expect(() => byRank([{ engine: { name: stranger } }])).toThrow('is not registered');
  });
});
