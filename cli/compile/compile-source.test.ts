/** C sources in the place of objects, through the commands that take one. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compilerProblem } from '../../bpf/compile.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { compileSource } from './compile-source.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-source-')));
const home = process.cwd();
const FRAME = '00'.repeat(60);
const HEAD = '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n';
const LICENSE = 'char _license[] SEC("license") = "GPL";\n';

const SOURCES: Readonly<Record<string, string>> = {
  'act.bpf.c': `${HEAD}#ifndef ACTION\n#define ACTION XDP_DROP\n#endif
SEC("xdp") int act(struct xdp_md *ctx) { return ACTION; }\n${LICENSE}`,
  'two.bpf.c': `${HEAD}SEC("xdp") int one(struct xdp_md *ctx) { return XDP_DROP; }
SEC("xdp") int two(struct xdp_md *ctx) { return XDP_TX; }\n${LICENSE}`,
  'kernel/vmlinux.h': 'typedef unsigned int __u32; struct xdp_md { __u32 data; };\n',
  'kernel/types.bpf.c': `#include <vmlinux.h>
__attribute__((section("xdp"), used)) int types(struct xdp_md *ctx) { return 2; }\n`,
  'typo.bpf.c': `${HEAD}SEC("xdp") int typo(struct xdp_md *ctx) { return XDP_PASSS; }\n${LICENSE}`,
  'no-types.bpf.c': '#include "vmlinux.h"\n',
  'no-header.bpf.c': '#include "mine.h"\n',
  'warns.bpf.c': `${HEAD}SEC("xdp") int warns(struct xdp_md *ctx) { char c = 258; return c; }\n${LICENSE}`,
  'again.bpf.c': `${HEAD}SEC("xdp") int again(struct xdp_md *ctx) { char c = 257; return c; }\n${LICENSE}`,
  '-O0.bpf.c': `${HEAD}SEC("xdp") int dash(struct xdp_md *ctx) { return XDP_TX; }\n${LICENSE}`,
  'empty.bpf.c': '',
  'counts.bpf.c': `${HEAD}int seen; SEC("xdp") int counts(struct xdp_md *ctx) { return __sync_fetch_and_add(&seen, 1) > 9; }\n${LICENSE}`,
  'swaps.bpf.c': `${HEAD}int seen; SEC("xdp") int swaps(struct xdp_md *ctx) { return __sync_lock_test_and_set(&seen, 1); }\n${LICENSE}`,
};

beforeAll(() => {
  mkdirSync(join(scratch, 'kernel'));
  for (const [name, text] of Object.entries(SOURCES)) writeFileSync(join(scratch, name), text);
  process.chdir(scratch);
});
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(compilerProblem() !== undefined)('a C source in the place of an object', () => {
  const run = (...args: string[]) => runInProcess('run', ...args, FRAME, '--engine', 'vm');

  it('is compiled by every command that takes an object, and leaves nothing behind', async () => {
    expect((await run('act.bpf.c')).out).toBe('packet 1: XDP_DROP, 60 bytes\n');
    expect((await run('./two.bpf.c:two')).out).toBe('packet 1: XDP_TX, 60 bytes\n');
    expect((await run('icmp_drop', '--object', 'act.bpf.c:act')).out).toBe('packet 1: XDP_DROP, 60 bytes\n');
    expect((await runInProcess('disasm', 'act.bpf.c')).out).toMatch(
      /; SEC\("xdp"\) int act.* @ act\.bpf\.c:6/,
    );
    const generated = await runInProcess(
      'corpus',
      'generate',
      'act.bpf.c',
      '--runs',
      '2',
      '--out',
      'two.pcapng',
    );
    expect(generated).toMatchObject({ code: 0 });
    const smaller = await runInProcess('corpus', 'minimize', 'act.bpf.c', 'two.pcapng', '--out', 'kept');
    expect(smaller).toMatchObject({ code: 0 });
    rmSync('two.pcapng');
    rmSync('kept', { recursive: true });
    expect(readdirSync('.', { recursive: true }).sort()).toEqual([...Object.keys(SOURCES), 'kernel'].sort());
  });

  it('takes flags, the last of which decide', async () => {
    expect(
      (await run('act.bpf.c', '--cflags', '-DACTION=1', '--cflags', '-UACTION -DACTION="XDP_TX"')).out,
    ).toBe('packet 1: XDP_TX, 60 bytes\n');
    expect((await run('-O0.bpf.c', '--')).code).not.toBe(0);
    expect((await run('./-O0.bpf.c')).out).toBe('packet 1: XDP_TX, 60 bytes\n');
  });

  it('finds vmlinux.h beside the source, wherever it is named from', async () => {
    expect((await run('kernel/types.bpf.c')).out).toBe('packet 1: XDP_PASS, 60 bytes\n');
    const { includes, object } = compileSource(join(scratch, 'kernel/types.bpf.c'));
    expect(includes).toEqual(['kernel/vmlinux.h']);
    // No path of this machine is in it.
    expect(Buffer.from(object).includes(scratch)).toBe(false);
    expect(loadObject(object).programs.map((program) => program.function)).toEqual(['types']);
  });

  it('shows what the compiler says, and what to do', async () => {
    const typo = await run('typo.bpf.c');
    expect(typo).toMatchObject({ code: 2, out: '' });
    expect(typo.err).toMatch(
      /^typo\.bpf\.c:3:\d+: error: use of undeclared identifier 'XDP_PASSS'[\s\S]*\nxdpsim: typo\.bpf\.c: does not compile \(clang/,
    );
    expect((await run('no-types.bpf.c')).err).toMatch(/bpftool btf dump file .*> vmlinux\.h\n$/);
    expect((await run('no-header.bpf.c')).err).toMatch(/--cflags -IFOLDER\n$/);
    expect(await run('act.bpf.c', '--cflags', '-fno-such-flag')).toMatchObject({
      code: 2,
      err: expect.stringContaining("unknown argument: '-fno-such-flag'"),
    });
    expect(await run('empty.bpf.c')).toMatchObject({
      code: 2,
      err: expect.stringContaining('empty.bpf.c: '),
    });
  });

  it('says which instruction set atomic operations need, without the stack of a compiler that gives up', async () => {
    const counts = await run('counts.bpf.c', '--cflags', '-mcpu=v2');
    expect(counts).toMatchObject({ code: 2, out: '' });
    expect(counts.err).toMatch(/whose result is used need -mcpu=v3: --cflags -mcpu=v3\n$/);
    expect(counts.err).not.toMatch(/Stack dump|PLEASE| #\d+ 0x/);
    const [first] = counts.err.split('\n');
    expect(first).toMatch(/error: /);
    const swaps = await run('swaps.bpf.c', '--cflags', '-mcpu=v2');
    expect(swaps.err).toMatch(/^swaps\.bpf\.c:3:\d+: error: [\s\S]*--cflags -mcpu=v3\n$/);
    expect((await run('counts.bpf.c', '--cflags', '-mcpu=v3')).code).toBe(0);
  });

  it('shows warnings of a source that compiles, on standard error', async () => {
    const { code, out, err } = await run('warns.bpf.c');
    expect({ code, out }).toEqual({ code: 0, out: 'packet 1: XDP_PASS, 60 bytes\n' });
    expect(err).toMatch(
      /^warns\.bpf\.c:3:\d+: warning: implicit conversion from 'int' to 'char' changes value/,
    );
    expect(err).not.toMatch(/^\./m);
  });

  it('shows them behind a run of verify in the same process, too', async () => {
    expect((await runInProcess('verify', 'xdp_pass', '--engines', 'vm', '--runs', '10')).code).toBe(0);
    expect((await run('again.bpf.c')).err).toMatch(/^again\.bpf\.c:3:\d+: warning: /);
  });
});

it('needs a compiler, and says how to get one', async () => {
  vi.stubEnv('PATH', scratch);
  vi.stubEnv('CLANG', undefined);
  try {
    const { code, out, err } = await runInProcess('run', 'act.bpf.c', FRAME, '--cflags', '-DNEVER_COMPILED');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toMatch(
      /^xdpsim: clang is not installed.*\n {8}Install it \(Debian, Ubuntu: apt-get install clang;/,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});
