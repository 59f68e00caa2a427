/** Builds `docs/helpers.md`: what the machine has of the kernel's helpers, functions and types of maps, from the registers. */
import { BPF_MAP_TYPE, type MapType } from '../../runtime/maps.ts';
import { helperName, LAST_HELPER } from '../helper-names.ts';
import type { Influence } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import {
  SLEEPING_HELPERS,
  UNSUPPORTED_FUNCTIONS,
  UNSUPPORTED_HELPERS,
  UNSUPPORTED_MAP_TYPES,
} from '../helpers/unsupported.ts';
import { supportsMapType } from '../maps/create-map.ts';

const PROGRAMS = { xdp: 'XDP', tc: 'TC' } as const;
const ALL_NUMBERS: readonly number[] = Array.from({ length: LAST_HELPER }, (_, index) => index + 1);

function programs(only: 'xdp' | 'tc' | undefined): string {
  return only === undefined ? 'XDP, TC' : PROGRAMS[only];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return lines.join('\n');
}

/** What of the world decides the answers of a helper without a note of its own. */
function influence(dependsOn: readonly Influence[]): string {
  if (dependsOn.includes('clock')) return "the world's clock, in the kernel engines too";
  if (dependsOn.includes('chance')) return "numbers from the world's seed, in the kernel engines too";
  if (dependsOn.includes('hash')) return "hashes from the world's seed, in the kernel engines too";
  return 'as in the kernel';
}

/** `a, b, c` within 120 columns. */
function wrapped(words: readonly string[]): string {
  const lines: string[] = [];
  for (const [index, word] of words.entries()) {
    const piece = index === words.length - 1 ? `${word}.` : `${word},`;
    const last = lines.at(-1);
    if (last === undefined || last.length + piece.length + 1 > 118) lines.push(piece);
    else lines[lines.length - 1] = `${last} ${piece}`;
  }
  return lines.join('\n');
}

/** How many helpers programs of a type may call here. */
function countFor(type: 'xdp' | 'tc'): number {
  return [...HELPERS.values()].filter(({ rules }) => rules.hooks === 'both' || rules.hooks === type).length;
}

function lackingFor(type: 'xdp' | 'tc'): number {
  return UNSUPPORTED_HELPERS.filter(({ only }) => only === undefined || only === type).length;
}

export function helperPage(): string {
  const supported = ALL_NUMBERS.flatMap((number) => HELPERS.get(number) ?? []);
  const unsupported = new Set(UNSUPPORTED_HELPERS.map(({ number }) => number));
  const others = ALL_NUMBERS.filter((number) => !HELPERS.has(number) && !unsupported.has(number));
  const functions = [...KERNEL_FUNCTIONS.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const mapTypes = (Object.keys(BPF_MAP_TYPE) as MapType[]).filter((type) => type !== 'UNSPEC');
  const [xdp, tc] = [countFor('xdp'), countFor('tc')];
  return `<!-- Made from the registers in sim/ebpf/helpers: npx vitest run sim/ebpf/helper-page.test.ts -u -->

# Helpers, kernel functions and maps of the embedded machine

The machine (engines \`vm\` and \`wasm\`) has ${xdp} of the ${xdp + lackingFor('xdp')} helpers that Linux 6.18 allows XDP programs to call, and
${tc} of the ${tc + lackingFor('tc')} for TC programs. A program that needs one that is missing is tested all the same: the machine is reported as
\`skipped\`, with name and number of the helper, and the kernel's engines run the program. Calls in code that no input
reaches do not count.

## Supported helpers

${table(
  ['number', 'helper', 'programs', 'in the machine'],
  supported.map(({ number, name, rules, effects, note }) => [
    `${number}`,
    `\`${name}\``,
    programs(rules.hooks === 'both' ? undefined : rules.hooks),
    note ?? influence(effects.dependsOn),
  ]),
)}

## Unsupported helpers

${table(
  ['number', 'helper', 'programs', 'why'],
  UNSUPPORTED_HELPERS.map(({ number, only, because }) => [
    `${number}`,
    `\`${helperName(number)}\``,
    programs(only),
    because,
  ]),
)}

## Helpers for other types of programs

The verifier lets neither XDP nor TC programs call these (${SLEEPING_HELPERS.map((number) => `\`${helperName(number)}\``).join(' and ')} may sleep,
which these programs may not):

${wrapped(others.map((number) => `${number} \`${helperName(number)}\``))}

## Supported kernel functions (kfuncs)

${table(
  ['function', 'programs', 'in the machine'],
  functions.map(({ name, rules, note }) => [
    `\`${name}\``,
    programs(rules.hooks === 'both' ? undefined : rules.hooks),
    note ?? 'as in the kernel',
  ]),
)}

## Unsupported kernel functions

A weak kernel function (\`__ksym __weak\`) that is missing is absent for the program, as \`bpf_ksym_exists\` shows, where the
running kernel does not have it either, or there is none to ask. Where that kernel has it, the program takes another way there than it would
here: then the kernel's engines alone run it, as if the function were not weak.

${table(
  ['functions', 'programs', 'why'],
  UNSUPPORTED_FUNCTIONS.map(({ names, only, because }) => [
    names.map((name) => `\`${name}\``).join(', '),
    programs(only),
    because,
  ]),
)}

Kernel functions that may sleep are for other types of programs.

## Types of maps

Supported: ${mapTypes
    .filter(supportsMapType)
    .map((type) => `\`${type}\``)
    .join(', ')}.

An update of an entry that exists puts a new element in its place (\`HASH\`, \`LRU_HASH\`, \`LPM_TRIE\`): a pointer that the program
holds from before goes on showing the old value, and what is written there is lost. Per-CPU values, arrays, and values that are
updated with \`BPF_F_LOCK\` are written in place. What the old memory, or that of a deleted entry, is used for next is followed as the
kernel does it on one CPU: by the second update of a preallocated \`HASH\`, by the next update or insertion of the others. The kernel's
\`LPM_TRIE\` does not use it again while the program runs, the machine's when 64 others have come free (fewer where values are
larger than 16 KiB). Of an \`LRU_HASH\`, and with \`BPF_F_NO_PREALLOC\`, the kernel may take other memory: where an entry came from another
CPU, or an interrupt comes in between.

${table(
  ['unsupported', 'why'],
  Object.entries(UNSUPPORTED_MAP_TYPES).map(([type, because]) => [`\`${type}\``, because]),
)}
`;
}
