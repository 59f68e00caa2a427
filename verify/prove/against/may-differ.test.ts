import { expect, it } from 'vitest';
import { mayDiffer } from './against.ts';

it('says what may differ in one sentence, also where it is calls', () => {
  expect(mayDiffer('byte 12 of the packet')).toBe('byte 12 of the packet may differ');
  expect(mayDiffer('the target of the redirect')).toBe('the target of the redirect may differ');
  expect(mayDiffer('the builds call bpf_perf_event_output with other arguments')).toBe(
    'it may be that the builds call bpf_perf_event_output with other arguments',
  );
  expect(mayDiffer('only the new build sends an event to map rb')).toBe(
    'it may be that only the new build sends an event to map rb',
  );
});
