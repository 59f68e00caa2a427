/** Builds of one program that differ by one edit: what `xdpsim diff` finds, and where it sees the reason. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diffShape } from '../cli/diff/report-json.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { packageFile } from '../kernel/package-file.ts';
import { parse } from '../sim/runtime/schema.ts';
import { part } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SOURCE = readFileSync(packageFile('kernel-tests/diff/filter.bpf.c'), 'utf8');
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-diff-')));
const home = process.cwd();
const RUNS = ['--runs', '2000', '--seed', 'diff'];
/** Shows in one value of many. */
const SWEPT = 'a fold that is missing';
const COUNT = 'count(ip->saddr, ip->protocol);';

beforeAll(() => {
  writeFileSync(join(scratch, 'old.bpf.c'), SOURCE);
  process.chdir(scratch);
});
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true, force: true });
});

interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly text?: string;
}
interface Class {
  readonly field: string;
  readonly changes: { what: string; old: string; new: string }[];
  readonly old: Place;
  readonly new: Place;
  readonly example: { packets: string[]; shrunk: boolean };
  readonly packets: number;
}

function write(edits: readonly (readonly [from: string, to: string])[]): void {
  let text = SOURCE;
  for (const [from, to] of edits) {
    if (!text.includes(from)) throw new Error(`the source has no line “${from}”`);
    text = text.replace(from, to);
  }
  writeFileSync('new.bpf.c', text);
}

async function compare(edits: readonly (readonly [from: string, to: string])[], more = ['--no-sweeps']) {
  write(edits);
  const { code, out, err } = await runInProcess('diff', 'old.bpf.c', 'new.bpf.c', '--json', ...RUNS, ...more);
  expect(err).toBe('');
  const document = JSON.parse(out);
  // The form is the published one.
  expect(() => parse(diffShape, document)).not.toThrow();
  const [program] = document.builds[0].programs;
  return { code, classes: program.classes as Class[], program };
}

describeKernel('what two builds treat differently', ['compiler'], () => {
  const EDITS: readonly (readonly [
    name: string,
    edit: readonly [from: string, to: string],
    field: RegExp,
    old: string,
    next: string,
  ])[] = [
    [
      'a constant in a comparison',
      ['udp->dest == bpf_htons(53)', 'udp->dest == bpf_htons(5353)'],
      /^action$/,
      'if (udp->dest == bpf_htons(53))',
      'if (udp->dest == bpf_htons(5353))',
    ],
    [
      'a constant that no packet has by chance',
      ['udp->source == bpf_htons(7)', 'udp->source == bpf_htons(34567)'],
      /^action$/,
      'if (udp->source == bpf_htons(7))',
      'if (udp->source == bpf_htons(34567))',
    ],
    [
      'a limit that is off by one',
      ['ip->ttl <= 1', 'ip->ttl < 1'],
      /^action$/,
      'if (ip->ttl <= 1)',
      'if (ip->ttl < 1)',
    ],
    [
      'another action',
      ['ihl != 5)\n\t\treturn XDP_DROP', 'ihl != 5)\n\t\treturn XDP_ABORTED'],
      /^action$/,
      '',
      '',
    ],
    [
      'another value in the packet',
      ['ip->ttl -= 1', 'ip->ttl -= 2'],
      /^ipv4\.ttl$/,
      'ip->ttl -= 1;',
      'ip->ttl -= 2;',
    ],
    [
      SWEPT,
      ['\tsum = (sum & 0xffff) + (sum >> 16);\n\tsum', '\tsum'],
      /^ipv4\.checksum$/,
      'ip->check = fold(sum + *word + *network);',
      'ip->check = fold(sum + *word + *network);',
    ],
    [
      'another slot of a map',
      ['ip->protocol & 3', '(ip->protocol + 1) & 3'],
      /^map totals$/,
      '*total += 1;',
      '*total += 1;',
    ],
    [
      'a global variable',
      ['long_frames++', 'long_frames += 2'],
      /^map .*bss: long_frames$/,
      'long_frames++;',
      'long_frames += 2;',
    ],
    [
      'another target',
      ['bpf_redirect(1, 0)', 'bpf_redirect(2, 0)'],
      /^(redirect|action)$/,
      'return bpf_redirect(1, 0);',
      'return bpf_redirect(2, 0);',
    ],
  ];

  it.each(part(EDITS, 5, 1))('%s', async (name, edit, field, old, next) => {
    const { code, classes } = await compare([edit], name === SWEPT ? [] : ['--no-sweeps']);
    expect(code).toBe(1);
    expect(classes.map((one) => one.field)).toEqual([expect.stringMatching(field)]);
    const [only] = classes;
    if (old !== '') {
      expect({ old: only!.old.text, new: only!.new.text }).toEqual({ old, new: next });
      expect(only!.old.file).toBe('old.bpf.c');
      expect(SOURCE.split('\n')[only!.old.line! - 1]!.trim()).toBe(old);
    }
    expect(only!.example.shrunk).toBe(true);
  });

  it('a limit that only a sequence of packets reaches', async () => {
    const limited = (most: number): [string, string] => [
      COUNT,
      `if (${COUNT.slice(0, -1)} > ${most})\n\t\treturn XDP_DROP;`,
    ];
    write([limited(3)]);
    writeFileSync('limited.bpf.c', readFileSync('new.bpf.c'));
    write([limited(4)]);
    const { code, out } = await runInProcess(
      'diff',
      'limited.bpf.c',
      'new.bpf.c',
      '--json',
      '--no-sweeps',
      ...RUNS,
    );
    const { classes } = JSON.parse(out).builds[0].programs[0] as { classes: Class[] };
    expect({ code, classes: classes.length }).toEqual({ code: 1, classes: 1 });
    expect(classes[0]!.old.text).toBe('if (count(ip->saddr, ip->protocol) > 3)');
    expect(classes[0]!.new.text).toBe('if (count(ip->saddr, ip->protocol) > 4)');
    expect(classes[0]!.example.packets).toHaveLength(4);
  });

  it('two edits are two classes, each with its own smallest packet', async () => {
    const { classes } = await compare([
      ['htons(53)', 'htons(54)'],
      ['ihl != 5)\n\t\treturn XDP_DROP', 'ihl != 5)\n\t\treturn XDP_PASS'],
    ]);
    // Port 53 is dropped no more, port 54 is, and headers with options pass.
    const changes = classes.map((one) => `${one.changes[0]!.old} → ${one.changes[0]!.new}`).sort();
    expect(new Set(changes)).toContain('XDP_DROP → XDP_PASS');
    expect(classes.length).toBeLessThanOrEqual(3);
    expect(new Set(classes.map((one) => `${one.old.line} ${one.new.line}`)).size).toBe(classes.length);
    for (const one of classes) expect(one.example.packets).toHaveLength(1);
  });

  it('a map that only one build has, once packets change it', async () => {
    const { code, classes } = await compare([
      ['} totals SEC', '} sums SEC'],
      ['&totals', '&sums'],
    ]);
    expect(code).toBe(1);
    expect(classes.map((one) => one.field)).toEqual(['map sums']);
    expect(classes[0]!.changes[0]).toMatchObject({ old: 'has no such map', new: 'is changed' });
  });

  it('a program that only one build has', async () => {
    write([
      ['int filter(', 'int renamed(struct xdp_md *ctx)\n{\n\treturn XDP_PASS;\n}\n\nSEC("xdp")\nint filter('],
    ]);
    const { code, out } = await runInProcess('diff', 'old.bpf.c', 'new.bpf.c', ...RUNS);
    expect(code).toBe(1);
    expect(out).toContain('✗ program renamed is only in new.bpf.c');
  });
});

describeKernel('what is no difference', ['compiler'], () => {
  it('is one line and exit code 0', async () => {
    const levels = await runInProcess(
      'diff',
      'old.bpf.c',
      '--flags=-O1',
      '--flags=-O3',
      '--flags=-O2 -mcpu=v3',
      ...RUNS,
    );
    expect(levels).toMatchObject({ code: 0, err: '' });
    expect(levels.out.trimEnd().split('\n')).toHaveLength(2);
    expect(levels.out).toMatch(
      /^old\.bpf\.c \(-O1\) and old\.bpf\.c \(-O2 -mcpu=v3\): no difference in 5,\d+ packets/m,
    );
    // Some compilers make the same of -O1 and -O3.
    expect(levels.out).toMatch(/filter proved equal for frames of up to 3,520 bytes/);
    const itself = await runInProcess('diff', 'old.bpf.c', 'old.bpf.c');
    expect(itself).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^.*: identical instructions, nothing to compare\n$/),
    });
  });

  const ALIKE: readonly (readonly [name: string, edits: [string, string][]])[] = [
    ['a comment', [['ip->ttl -= 1;', '/* one hop */ ip->ttl -= 1;']]],
    ['the same in other words', [['ip->ttl <= 1', 'ip->ttl < 2']]],
    [
      'a check more that nothing fails',
      [['\tif (ip->ihl != 5)', '\tif (ip->version > 15)\n\t\treturn XDP_ABORTED;\n\tif (ip->ihl != 5)']],
    ],
    [
      'what is written to a frame that is dropped',
      [['htons(53))\n\t\treturn XDP_DROP;', 'htons(53)) {\n\t\tudp->dest = 0;\n\t\treturn XDP_DROP;\n\t}']],
    ],
  ];
  it.each(part(ALIKE, 4, 3))('%s', async (_, edits) => {
    const { code, classes } = await compare(edits);
    expect({ code, classes }).toEqual({ code: 0, classes: [] });
  });

  it('unless a proof finds the packet that generated ones miss', async () => {
    const [a, b] = ['ip->saddr', 'ip->daddr'];
    const same = `(((${a} * 3 + ${b}) ^ (${a} >> 5)) == 0x1badb002 && ((${b} * 5 ^ ${a}) & 0xfffffff) == 0x8765432)`;
    const { code, classes, program } = await compare(
      [['\tif (ip->ihl != 5)', `\tif (${same})\n\t\treturn XDP_ABORTED;\n\tif (ip->ihl != 5)`]],
      ['--no-sweeps'],
    );
    expect({ code, fields: classes.map(({ field }) => field) }).toEqual({ code: 1, fields: ['action'] });
    expect(program.proof).toMatchObject({ equal: false });
  });

  it('random numbers that only one build draws are no difference, and are counted', async () => {
    const sampled = (draws: string): [string, string] => [
      '\tif (ip->ihl != 5)',
      `\t${draws}if (bpf_get_prandom_u32() % 8 == 0)\n\t\treturn XDP_DROP;\n\tif (ip->ihl != 5)`,
    ];
    write([sampled('')]);
    writeFileSync('sampled.bpf.c', readFileSync('new.bpf.c'));
    write([sampled('bpf_get_prandom_u32();\n\t')]);
    const { code, out } = await runInProcess(
      'diff',
      'sampled.bpf.c',
      'new.bpf.c',
      '--json',
      '--no-sweeps',
      ...RUNS,
    );
    const [program] = JSON.parse(out).builds[0].programs;
    expect({ code, classes: program.classes.length }).toEqual({ code: 0, classes: 0 });
    expect(program.notCompared).toContainEqual(
      expect.stringMatching(/random numbers that only one build draws.*\(\d+\)/),
    );
  });

  it('bytes of the stack that nobody wrote are no difference', async () => {
    // The padding of the key is left as it is.
    const { classes } = await compare([
      [
        'struct key key = { .source = source, .protocol = protocol };',
        'struct key key;\n\tkey.source = source;\n\tkey.protocol = protocol;',
      ],
    ]);
    expect(classes).toEqual([]);
  });
});

describe('diff with built-in programs', () => {
  it('names the branches of both, and saves examples that run by themselves', async () => {
    const { code, out } = await runInProcess(
      'diff',
      'tcp_filter',
      'icmp_filter',
      '--runs',
      '3000',
      '--report',
      'found',
    );
    expect(code).toBe(1);
    const file = /Saved in (\S+)/.exec(out)![1]!;
    expect(out).toMatch(/^ {3}old {2}bpf\/tcp_filter\.bpf\.c:\d+: /m);
    const old = await runInProcess('run', 'tcp_filter', '--packet', file);
    const next = await runInProcess('run', 'icmp_filter', '--packet', file);
    expect(old.code).toBe(0);
    expect(old.out).not.toBe(next.out);
  });
});
