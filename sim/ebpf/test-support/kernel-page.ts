/** The table of docs/kernels.md: what the machine knows of other kernels, from its register. */
import {
  BEHAVIOURS,
  helperRows,
  isOlder,
  KERNEL_FUNCTIONS_SINCE,
  type KernelVersion,
  MAP_TYPES_SINCE,
  NEW_INSTRUCTIONS,
  PROGRAM_FEATURES,
} from '../kernel-versions.ts';

interface Row {
  readonly since: KernelVersion;
  readonly what: string;
  readonly before: string;
  readonly source: string;
}

const UAPI = 'include/uapi/linux/bpf.h';

export function kernelTable(): string {
  const rows: Row[] = [
    ...Object.values(BEHAVIOURS).map((one) => ({ what: 'helper', ...one })),
    ...Object.values(PROGRAM_FEATURES).map((one) => ({ what: 'program', ...one })),
    ...NEW_INSTRUCTIONS.map(({ since, before, source }) => ({ what: 'instruction', since, before, source })),
    ...helperRows().map(([names, since]) => ({
      what: 'helpers',
      since,
      before: `Lacks ${names}.`,
      source: `${UAPI}, \`__BPF_FUNC_MAPPER\``,
    })),
    ...grouped(KERNEL_FUNCTIONS_SINCE, 'kernel functions', 'kernel/bpf/helpers.c, net/core/filter.c'),
    ...grouped(MAP_TYPES_SINCE, 'map types', `${UAPI}, \`enum bpf_map_type\``),
  ];
  rows.sort((a, b) => (a.since === b.since ? 0 : isOlder(a.since, b.since) ? 1 : -1));
  const lines = rows.map(
    ({ since, what, before, source }) => `| ${since} | ${what} | ${before} | ${source} |`,
  );
  return ['| since | | what older kernels do | source |', '|---|---|---|---|', ...lines].join('\n');
}

function grouped(since: ReadonlyMap<string, KernelVersion>, what: string, source: string): Row[] {
  return [...new Set(since.values())].map((version) => {
    const names = [...since].flatMap(([name, one]) => (one === version ? [`\`${name}\``] : []));
    return { since: version, what, before: `Lacks ${names.join(', ')}.`, source };
  });
}
