/** Builds whose instructions are the same, and that are loaded otherwise. */
import { expect, it } from 'vitest';
import { type WrittenLoading, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Build } from './builds.ts';
import { type LoadingDifferences, loadingDifferences } from './loading.ts';
import { pairPrograms } from './pairs.ts';

const PASS = 'r0 = 2\nexit';
const ROUTED = 'call bpf_fib_lookup\nr0 = 2\nexit';

const program = (loading: WrittenLoading, text: string = PASS, hook: Hook = 'xdp'): Program => ({
  name: 'main',
  object: writeElf({ main: text }, [], {}, loading),
  entries: [{ function: 'main', hook }],
});

function between(old: WrittenLoading, next: WrittenLoading, text?: string, hook?: Hook): LoadingDifferences {
  const pair = { old: program(old, text, hook), new: program(next, text, hook) };
  return loadingDifferences('main', pair, ['a.o', 'b.o']);
}

it('tells of programs that one build leaves to whoever loads it', () => {
  expect(between({ section: 'xdp' }, { section: '?xdp' })).toEqual({
    sentences: [
      'program main: loaded with the object in a.o, left out unless a loader asks for it (SEC("?xdp")) in b.o',
    ],
    isRefused: false,
  });
});

it('tells actions of TC from classifiers, and programs for frames in several buffers from others', () => {
  expect(between({ section: 'tc' }, { section: 'action' }, PASS, 'tc-ingress').sentences).toEqual([
    'program main: a classifier (BPF_PROG_TYPE_SCHED_CLS) in a.o, an action (SEC("action"), BPF_PROG_TYPE_SCHED_ACT) in b.o',
  ]);
  expect(between({ section: 'xdp' }, { section: 'xdp.frags' }).sentences).toEqual([
    'program main: given frames in one buffer in a.o, given frames in several buffers (BPF_F_XDP_HAS_FRAGS) in b.o',
  ]);
});

it('is silent of sections that mean the same, and of licenses that nothing asks for', () => {
  for (const section of ['xdp/main', 'xdp_main'])
    expect(between({ section: 'xdp' }, { section }).sentences).toEqual([]);
  expect(between({ section: 'tc' }, { section: 'classifier' }, PASS, 'tc-ingress').sentences).toEqual([]);
  expect(between({}, { license: 'Proprietary' }).sentences).toEqual([]);
  expect(between({}, { license: 'Dual BSD/GPL' }, ROUTED).sentences).toEqual([]);
  expect(between({ license: 'none' }, { license: 'Proprietary' }, ROUTED)).toEqual({
    sentences: [],
    isRefused: false,
  });
});

it('does not pair a build that a kernel refuses for its license', () => {
  expect(between({}, { license: 'Proprietary' }, ROUTED)).toEqual({
    sentences: [
      'program main: a kernel refuses it in b.o: under the license "Proprietary" it calls bpf_fib_lookup, which wants one that is compatible with the GPL',
    ],
    isRefused: true,
  });
  const build = (label: string, loading: WrittenLoading): Build => ({
    label,
    programs: [{ program: program(loading, ROUTED), worlds: [], hints: undefined }],
  });
  const refused = pairPrograms(build('a.o', { license: '' }), build('b.o', {}));
  expect(refused.pairs).toEqual([]);
  expect(refused.unpaired[0]).toMatch(/refuses it in a\.o: without a license it calls bpf_fib_lookup/);
  expect(pairPrograms(build('a.o', {}), build('b.o', { section: '?xdp' }))).toMatchObject({
    pairs: [{ name: 'main' }],
    unpaired: [expect.stringMatching(/left out/)],
  });
});
