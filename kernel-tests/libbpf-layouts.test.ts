import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as layouts from '../kernel/libbpf/layouts.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** Our table, the C structure, and the fields that the header calls otherwise. */
const STRUCTURES: readonly (readonly [
  Readonly<Record<string, number>>,
  string,
  Readonly<Record<string, string>>?,
])[] = [
  [layouts.TEST_RUN_OPTS, 'bpf_test_run_opts'],
  [layouts.XDP_MD, 'xdp_md'],
  [layouts.SK_BUFF, '__sk_buff'],
  [layouts.OBJECT_OPEN_OPTS, 'bpf_object_open_opts'],
  [layouts.PROG_LOAD_OPTS, 'bpf_prog_load_opts'],
  [layouts.BTF_TYPE, 'btf_type', { size_or_type: 'size' }],
  [layouts.BTF_VAR_SECINFO, 'btf_var_secinfo', { size_of_variable: 'size' }],
  [layouts.PERF_EVENT_ATTR, 'perf_event_attr', { size_of_attr: 'size' }],
  [layouts.PERF_MMAP_PAGE, 'perf_event_mmap_page'],
];

describeKernel('the layouts of C structures', ['compiler'], () => {
  it('are those of the installed headers', () => {
    const expressions: Record<string, string> = {};
    const stated: Record<string, number> = {};
    for (const [fields, structure, renamed] of STRUCTURES) {
      for (const [field, offset] of Object.entries(fields)) {
        const name = `${structure}.${field}`;
        stated[name] = offset;
        // Newer headers end these in fields that we do not know: the whole may grow, not shrink.
        if (field === 'size') expressions[name] = `sizeof(struct ${structure}) < ${offset} ? 0 : ${offset}`;
        else expressions[name] = `offsetof(struct ${structure}, ${renamed?.[field] ?? field})`;
      }
    }
    for (const [kind, values] of [
      ['BPF_PROG_TYPE_', layouts.BPF_PROG_TYPE],
      ['BPF_', layouts.BPF_ATTACH_TYPE],
    ] as const) {
      for (const [name, value] of Object.entries(values)) {
        stated[kind + name] = value;
        expressions[kind + name] = kind + name;
      }
    }
    expect(evaluate(expressions)).toEqual(stated);
  });
});

function evaluate(expressions: Readonly<Record<string, string>>): Record<string, number> {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-layouts-'));
  try {
    const source = join(scratch, 'layouts.c');
    const lines = Object.entries(expressions).map(
      ([name, expression]) => `printf("%s %zu\\n", "${name}", (size_t)(${expression}));`,
    );
    writeFileSync(
      source,
      `#include <bpf/bpf.h>
      #include <bpf/libbpf.h>
      #include <linux/btf.h>
      #include <linux/perf_event.h>
      #include <stddef.h>
      #include <stdio.h>
      int main(void) { ${lines.join('\n')} }`,
    );
    const program = join(scratch, 'layouts');
    const cc = spawnSync('clang-14', [source, '-o', program], { encoding: 'utf8' });
    expect(cc.stderr).toBe('');
    const { stdout } = spawnSync(program, { encoding: 'utf8' });
    return Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => [line.split(' ')[0]!, Number(line.split(' ')[1])]),
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
