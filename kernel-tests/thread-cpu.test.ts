import { afterEach, expect, it } from 'vitest';
import { syscalls } from '../kernel/testrun/syscalls.ts';
import { pinThread, releaseThread } from '../kernel/testrun/thread-cpu.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('the CPU of a thread', ['libbpf'], () => {
  afterEach(releaseThread);

  it('is one while it is pinned, and any as before when it is released', () => {
    const before = syscalls().affinity();
    const allowed = [...before.keys()].flatMap((byte) =>
      Array.from({ length: 8 }, (_, bit) => byte * 8 + bit).filter((cpu) => (before[byte]! >> (cpu & 7)) & 1),
    );
    for (const cpu of [allowed[0]!, allowed.at(-1)!, allowed.at(-1)!]) {
      pinThread(cpu);
      expect(syscalls().currentCpu()).toBe(cpu);
    }
    releaseThread();
    releaseThread();
    expect(syscalls().affinity()).toEqual(before);
  });
});
