/** The command as a user meets it: exit codes, messages, and what is on which stream. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCase } from '../corpus/cases/case.ts';
import { packageFile } from '../kernel/package-file.ts';
import { programByName } from '../sim/programs/index.ts';
import type { World } from '../sim/runtime/world.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND, xdpsim } from './test-support/built-command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-cli-'));
beforeAll(buildCommand, BUILD_TIMEOUT);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ECHO = packageFile('bpf/built/icmp_echo.o');
const PING = packageFile('corpus/captures/ping.pcapng');

function caseOf(program: string, world: World, packet: Uint8Array): Uint8Array {
  return encodeCase({ program, world, stimuli: [{ packet }] });
}

function scratchFile(name: string, content: Uint8Array | string): string {
  const path = join(scratch, name);
  writeFileSync(path, content);
  return path;
}

/** Each ends with this code and one message, which says what is wrong and names no line of ours. */
async function refuses(code: number, message: RegExp, ...args: string[]): Promise<void> {
  const ended = await xdpsim(...args);
  expect(ended, args.join(' ')).toMatchObject({ code, err: expect.stringMatching(message) });
  expect(ended.err).not.toMatch(/\n\s+at /);
}

// npx calls the file by its name, and makes it executable only when it sees the checkout for the first time.
it.skipIf(process.platform === 'win32')('is a command that can be called', () => {
  const ended = spawnSync(COMMAND[1], ['--version'], { encoding: 'utf8' });
  expect(ended).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

it('shows no empty list as the default of an option that may be repeated', async () => {
  const helps = await Promise.all(['run', 'verify', 'checksum'].map((command) => xdpsim(command, '--help')));
  for (const { code, out } of helps) {
    expect(code).toBe(0);
    expect(out).not.toContain('[]');
  }
  expect(helps[0]!.out.replaceAll(/\s+/g, ' ')).toContain('a packet or capture; may be repeated');
});

it('prints the help that README shows', async () => {
  const { out } = await xdpsim('--help');
  const readme = readFileSync(packageFile('README.md'), 'utf8');
  const shown = /```\n(Usage: xdpsim [\s\S]*?)```/.exec(readme)?.[1];
  expect(out).toBe(shown);
});

describe('wrong usage and bad input end with code 2', () => {
  it('names what is no program, and what it may have meant', async () => {
    await Promise.all([
      refuses(2, /no program “nope”/, 'verify', 'nope'),
      refuses(2, /did you mean icmp_echo\?/, 'verify', 'icmp-echo'),
      refuses(2, /no such file/, 'verify', join(scratch, 'missing.o')),
      refuses(2, /unknown command/, 'frobnicate'),
      refuses(2, /unknown option/, 'verify', '--frobnicate'),
    ]);
  });

  it('names what is wrong with an object', async () => {
    const object = readFileSync(ECHO);
    await Promise.all([
      refuses(
        2,
        /truncated\.o: .*expected.*found/,
        'verify',
        scratchFile('truncated.o', object.subarray(0, 500)),
      ),
      refuses(2, /text\.o: ELF header \+0x0: expected the magic/, 'verify', scratchFile('text.o', 'hello')),
      refuses(2, /contains no program “other”; available: icmp_echo/, 'verify', `${ECHO}:other`),
      refuses(2, /contains no program “other”/, 'verify', 'icmp_echo', '--object', `${ECHO}:other`),
    ]);
  });

  it('names option and value that do not fit', async () => {
    await Promise.all([
      refuses(2, /--runs must be a positive integer/, 'verify', '--runs', 'many'),
      refuses(2, /--time must be a time/, 'verify', '--time', 'soon'),
      refuses(2, /unknown engine “warp”/, 'verify', '--engines', 'warp'),
      refuses(2, /--map must have the form NAME=FILE/, 'run', ECHO, '00', '--map', 'nonsense'),
      refuses(2, /has no map “other”; available: xdp_stats_map/, 'run', ECHO, '00', '--map', 'other=x'),
    ]);
  });

  it('names place and expectation in a damaged capture', async () => {
    const capture = readFileSync(PING);
    await Promise.all([
      refuses(
        2,
        /cut\.pcapng: at byte \d+: expected/,
        'checksum',
        scratchFile('cut.pcapng', capture.subarray(0, 200)),
      ),
      refuses(2, /expected the magic number/, 'checksum', scratchFile('no.pcap', 'nothing of that kind')),
      refuses(2, /neither a file nor hexadecimal digits/, 'run', ECHO, 'xyz'),
    ]);
  });
});

describe('run', () => {
  it('runs a saved case in its own world, and anything else in the program’s first', async () => {
    const { worlds, examples } = programByName('redirect_map')!;
    const { packet } = examples[0]!.stimulus;
    const bare = scratchFile('bare.pcapng', caseOf('redirect_map', {}, packet));
    const connected = scratchFile('connected.pcapng', caseOf('redirect_map', worlds[0]!.world, packet));
    const hex = Buffer.from(packet).toString('hex');
    const runs = [[bare], [connected], [hex], [hex, hex]].map((sources) =>
      xdpsim('run', 'redirect_map', ...sources),
    );
    const fates = (await Promise.all(runs)).map(({ out }) => out.match(/^packet .*: [A-Z_]+/gm));
    expect(fates).toEqual([
      ['packet 1: XDP_PASS'],
      ['packet 1: XDP_REDIRECT'],
      ['packet 1: XDP_REDIRECT'],
      ['packet 1: XDP_REDIRECT', 'packet 2: XDP_REDIRECT'],
    ]);
    await refuses(2, /starts in a world of its own/, 'run', 'redirect_map', bare, hex);
    await refuses(2, /starts in a world of its own/, 'run', 'redirect_map', bare, connected);
  });
});

describe('verify', () => {
  it('prints one JSON document and nothing else, the same for the same seed', async () => {
    const args = [
      'verify',
      'icmp_echo',
      '--engines',
      'model,vm',
      '--seed',
      'abc',
      '--runs',
      '3000',
      '--json',
    ];
    const [first, second] = await Promise.all([xdpsim(...args), xdpsim(...args)]);
    expect(first).toMatchObject({ code: 0, err: '' });
    const report = JSON.parse(first.out);
    expect(report).toMatchObject({
      version: 1,
      seed: 'abc',
      programs: [
        {
          name: 'icmp_echo',
          divergences: [],
          engines: [
            { name: 'model', status: 'ran' },
            { name: 'vm', status: 'ran' },
          ],
        },
      ],
    });
    expect(report.programs[0].packets).toBeGreaterThan(3000);
    expect(JSON.parse(second.out).programs[0].actions).toEqual(report.programs[0].actions);
  });

  it('ends with code 1, a saved case and a JUnit failure where an object does not do what the model says', async () => {
    const junit = join(scratch, 'junit.xml');
    const report = join(scratch, 'report');
    const drop = packageFile('bpf/built/xdp_drop.o');
    const args = [
      'verify',
      'xdp_pass',
      '--object',
      `${drop}:xdp_drop`,
      '--engines',
      'model,vm',
      '--seed',
      '1',
    ];
    const ended = await xdpsim(...args, '--junit', junit, '--report', report);
    expect(ended.code).toBe(1);
    expect(ended.out).toContain('action: expected XDP_PASS (model), got XDP_DROP (vm)');
    expect(ended.out).toContain(`Saved in ${report}`);
    expect(readFileSync(junit, 'utf8')).toContain('<failure type="action"');
    // The saved case comes first the next time.
    const again = await xdpsim(...args, '--report', report);
    expect(again.out).toContain(`Seen in ${report}`);
  });

  it('gives the same packets to any number of workers', async () => {
    const args = [
      'verify',
      'proto_count',
      '--engines',
      'model,vm',
      '--seed',
      '5',
      '--runs',
      '20000',
      '--json',
    ];
    const [one, two] = await Promise.all([xdpsim(...args), xdpsim(...args, '--workers', '2')]);
    const [first, second] = [JSON.parse(one.out).programs[0], JSON.parse(two.out).programs[0]];
    expect(second.packets).toBe(first.packets);
    expect(second.actions).toEqual(first.actions);
  });

  it('takes a program that joins with a module of its own', async () => {
    const model = scratchFile(
      'all_pass.model.ts',
      `export default {
        name: 'all_pass', object: ${JSON.stringify(packageFile('bpf/built/xdp_pass.o'))},
        summary: '', description: '', maps: [], worlds: [{ name: 'empty', world: {} }], examples: [], hints: {},
        entries: [{ function: 'xdp_pass', hook: 'xdp' as const, model: (): number => 2 }],
      };`,
    );
    const ended = await xdpsim('verify', model, '--engines', 'model,vm', '--runs', '2000');
    expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/✓ agreed +all_pass/) });
  });

  it('names the commands that repeat what it found, as the program was named', async () => {
    const model = scratchFile(
      'drop_long.model.mjs',
      `export default {
        name: 'drop_long', object: ${JSON.stringify(packageFile('bpf/built/xdp_pass.o'))},
        summary: '', description: '', maps: [], worlds: [{ name: 'empty', world: {} }], examples: [], hints: {},
        entries: [{ function: 'xdp_pass', hook: 'xdp',
          model: ({ frame }) => frame.dataEnd - frame.data > 2000 ? 1 : 2 }],
      };`,
    );
    const report = join(scratch, 'drop-long');
    const ended = await xdpsim(
      'verify',
      model,
      '--engines',
      'model,vm',
      '--runs',
      '2000',
      '--seed',
      's',
      '--report',
      report,
    );
    expect(ended.code).toBe(1);
    const commands = [...ended.out.matchAll(/^ *npx xdpsim (.*)$/gm)].map(([, words]) => words!.split(' '));
    expect(commands.map(([command, named]) => [command, named])).toEqual([
      ['verify', model],
      ['run', model],
    ]);
    expect((await xdpsim(...commands[0]!, '--report', join(scratch, 'again'))).code).toBe(1);
    expect((await xdpsim(...commands[1]!)).out).toMatch(/^packet 1: XDP_PASS/);
  });

  it('takes an entry that runs after another only where the two can stand on one device', async () => {
    const entry = (name: string, hook: string, more: string): string =>
      `{ function: '${name}', hook: '${hook}', model: () => 0, ${more} }`;
    const module = (...entries: string[]): string =>
      `export default { name: 'm', maps: [], worlds: [{ name: '', world: {} }], examples: [], hints: {}, entries: [${entries.join()}] };`;
    const files = [
      module(entry('a', 'tc-ingress', "after: 'nobody'")),
      module(entry('a', 'tc-egress', ''), entry('b', 'tc-ingress', "after: 'a'")),
      module(entry('a', 'xdp', ''), entry('b', 'tc-egress', "after: 'a'")),
    ].map((text, index) => scratchFile(`after-${index}.mjs`, text));
    await Promise.all(files.map((file) => refuses(2, /cannot run after “(nobody|a)”/, 'verify', file)));
  });
});

describe('corpus', () => {
  it('generates the same packets for the same seed, and keeps of them what reaches something new', async () => {
    const [one, two] = [join(scratch, 'one.pcapng'), join(scratch, 'two.pcapng')];
    for (const out of [one, two]) {
      const made = await xdpsim(
        'corpus',
        'generate',
        'icmp_echo',
        '--out',
        out,
        '--runs',
        '500',
        '--seed',
        's',
      );
      expect(made).toMatchObject({ code: 0, out: '' });
    }
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    const kept = join(scratch, 'kept');
    const ended = await xdpsim('corpus', 'minimize', 'icmp_echo', one, '--out', kept);
    const [, few, many] = /: (\d+) of (\d+) cases/.exec(ended.err) ?? [];
    expect(Number(many)).toBe(500);
    expect(Number(few)).toBeGreaterThan(5);
    expect(Number(few)).toBeLessThan(60);
    expect(readdirSync(kept)).toHaveLength(Number(few));
    // Merging what is there already adds nothing.
    const files = readdirSync(kept).map((name) => join(kept, name));
    const merged = await xdpsim('corpus', 'merge', ...files, ...files, '--out', join(scratch, 'merged'));
    expect(merged.err).toContain(`${few} of ${2 * Number(few)} cases`);
    expect((await xdpsim('corpus', 'show', files[0]!)).out).toMatch(
      /cases of icmp_echo\n +1 +\d+ bytes {2}ethernet/,
    );
  });

  it('shows and runs what matches a filter, with the number that it has in the capture', async () => {
    const shown = await xdpsim(
      'corpus',
      'show',
      PING,
      '--filter',
      'icmp.seq == 2 && icmp.type == 0 && frame.len == 98',
    );
    expect(shown.out).toMatch(/\n +12 +98 bytes {2}ethernet.*\n {2}1 of 24 packets\n/);
    const ran = await xdpsim('run', 'icmp_echo', PING, '--filter', 'icmp.type == 8', '--json');
    expect(JSON.parse(ran.out).packets).toHaveLength(12);
    const none = await xdpsim('run', 'icmp_echo', PING, '--filter', 'tcp');
    expect(none).toMatchObject({ code: 4, out: '' });
    expect(none.err).toContain('no packet matches tcp');
  });
});

describe('checksum', () => {
  it('counts packets from 1 and names the fault, with code 1', async () => {
    const capture = new Uint8Array(readFileSync(PING));
    // The last byte of the last packet lies right before its block's trailing length; padding is at most 3 bytes.
    const json = JSON.parse((await xdpsim('checksum', PING, '--json')).out);
    expect(json.files[0]).toMatchObject({
      file: PING,
      packets: 24,
      layers: { icmp: { good: 24, bad: 0 } },
      faults: [],
    });
    const text = Buffer.from(capture);
    const echo = text.indexOf(Buffer.from([0x08, 0x00, 0x45, 0x00]));
    text[echo + 2 + 20 + 4]! ^= 1;
    const ended = await xdpsim('checksum', scratchFile('bad.pcapng', text), '--json');
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.out).files[0].faults).toMatchObject([
      { packet: 1, layer: 'icmp', depth: 0, status: 'bad' },
    ]);
  });
});
