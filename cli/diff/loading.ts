/**
 * How two builds of a program are loaded, which none of its instructions says: its section, which libbpf makes the program's type and
 * flags of, and the license, without which a kernel refuses calls.
 */
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { calledHelpers } from '../../sim/ebpf/called-helpers.ts';
import { isGplCompatible } from '../../sim/ebpf/check-program.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { BuildPair } from '../../verify/diff/pair.ts';

export interface LoadingDifferences {
  /** Sentences. */
  readonly sentences: readonly string[];
  /** Does a kernel refuse one build? Then there is nothing that could be run in both. */
  readonly isRefused: boolean;
}

/** Sections that libbpf loads as BPF_PROG_TYPE_SCHED_ACT (tools/lib/bpf/libbpf.c, `section_defs`); the others of TC are SCHED_CLS. */
const AS_ACTION = /^(action|act)([/_.-]|$)/;

/** @param labels of the builds, old and new */
export function loadingDifferences(
  name: string,
  { old, new: next }: BuildPair,
  labels: readonly [string, string],
): LoadingDifferences {
  const [a, b] = [loaded(old), loaded(next)];
  if (a === undefined || b === undefined) return { sentences: [], isRefused: false };
  const sections = WAYS.flatMap((way) => {
    const ways = [way(a.program), way(b.program)];
    if (ways[0] === ways[1]) return [];
    const each = ways.map((one, at) => `${one} in ${labels[at]}`);
    return [`program ${name}: ${each.join(', ')}`];
  });
  const refusals = [a, b].map(refusal);
  const [one, other] = refusals;
  const isRefused = (one === undefined) !== (other === undefined);
  const at = one === undefined ? 1 : 0;
  const refused = `program ${name}: a kernel refuses it in ${labels[at]}: ${refusals[at]}`;
  return { sentences: isRefused ? [...sections, refused] : sections, isRefused };
}

type Loaded = { readonly object: BpfObject; readonly program: BpfProgram };

function loaded({ object: bytes, entries }: Program): Loaded | undefined {
  if (bytes === undefined) return undefined;
  const object = linkedObject(bytes);
  const program = object.programs.find((one) => one.function === entries[0]?.function);
  return program === undefined ? undefined : { object, program };
}

/** What libbpf makes of a program's section. */
const WAYS: readonly ((program: BpfProgram) => string)[] = [
  ({ section }) =>
    section.startsWith('?')
      ? `left out unless a loader asks for it (SEC("${section}"))`
      : 'loaded with the object',
  ({ hook, section }) =>
    hook !== 'xdp' && AS_ACTION.test(bare(section))
      ? `an action (SEC("${section}"), BPF_PROG_TYPE_SCHED_ACT)`
      : hook === 'xdp'
        ? 'an XDP program'
        : 'a classifier (BPF_PROG_TYPE_SCHED_CLS)',
  ({ frags }) =>
    frags ? 'given frames in several buffers (BPF_F_XDP_HAS_FRAGS)' : 'given frames in one buffer',
];

function bare(section: string): string {
  return section.replace(/^\?/, '');
}

/** Why the license does not do: helpers and all kernel functions want one that is compatible with the GPL. */
function refusal({ object, program }: Loaded): string | undefined {
  if (isGplCompatible(object.license)) return undefined;
  const helper = [...calledHelpers(object, [program.function])].find(
    ({ name, rules }) => rules.license === 'gpl' || object.kfuncs.includes(name),
  );
  if (helper === undefined) return undefined;
  const license = object.license === '' ? 'without a license' : `under the license "${object.license}"`;
  return `${license} it calls ${helper.name}, which wants one that is compatible with the GPL`;
}
