/**
 * Every command and option with what it cannot use: one sentence that names what was expected and what was there, exit
 * code 2, nothing on standard output, nothing written.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, type Ended, xdpsimIn } from './test-support/built-command.ts';
import { runInProcess } from './test-support/in-process.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-bad-')));
const home = process.cwd();
const OBJECT = packageFile('bpf/built/icmp_echo.o');
const TWO = packageFile('bpf/built/layer_coop.o');
const FRAME = '00'.repeat(60);
/** A lab that nobody has set up. */
const NO_LAB = ['--lab', 'nobody-has-set-this-up'];

/** What no filter is. */
const NOT_FILTERS = [
  '',
  ' ',
  'tcp.',
  'constructor',
  '__proto__',
  'ip.ttl == ',
  'ip.ttl = 1',
  '(',
  '"',
  'ip.src == ::1',
  'é',
];

/** What stands in the folder in which the commands run: everything is wrong for somebody. */
const FILES: Readonly<Record<string, string | Uint8Array>> = {
  empty: '',
  'text.txt': 'hello\n',
  junk: Uint8Array.from({ length: 4096 }, (_, at) => (at * 7919 + (at >> 3) * 31) & 0xff),
  'cut.pcapng': readFileSync(packageFile('corpus/captures/ping.pcapng')).subarray(0, 200),
  'ping.pcapng': readFileSync(packageFile('corpus/captures/ping.pcapng')),
  'broken.gz': Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4),
  'cut.o': readFileSync(OBJECT).subarray(0, 500),
  'my.o': readFileSync(OBJECT),
  'open.json': '{"a": ',
  'no-such-map.jsonc': '{"maps": {"nope": []}} // no such map',
  'null.json': 'null',
  'none.json': '[]',
  'deep.json': '['.repeat(100_000),
  'large-key.json': '[{"key": 99999999, "value": 1}]',
  'short-value.json': '[{"key": 0, "value": "00"}]',
  'unnamed.json': '{"name": 5}',
  'no-programs.json': '{}',
  'typo.json': '{"programs": [{"object": "a.o", "maxEntrys": {}}]}',
  'no-reason.json': '{"programs": ["icmp_drop"], "off": {"ttl": " "}}',
  'no-rule.json': '{"programs": ["icmp_drop"], "off": {"nothing": "why"}}',
  'near-rule.json': '{"programs": ["icmp_drop", {"object": "router", "off": {"counters": "why"}}]}',
  'gone.json': '{"programs": ["gone.o"]}',
  'five.mjs': 'export default 5;',
  'throws.mjs': 'throw new Error("on purpose");',
};

beforeAll(() => {
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(scratch, name), content);
  mkdirSync(join(scratch, 'folder'));
  mkdirSync(join(scratch, 'folder.c'));
  symlinkSync('circle', join(scratch, 'circle'));
  process.chdir(scratch);
});
beforeAll(buildCommand, BUILD_TIMEOUT);
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true, force: true });
});

type Refused = readonly [args: readonly string[], message: RegExp];

/** The same refusal of many values. */
function each(
  values: readonly string[],
  args: (value: string) => readonly string[],
  message: RegExp,
): Refused[] {
  return values.map((value) => [args(value), message]);
}

const LONG = 'x'.repeat(300);
const NOT_COUNTS = ['', '0', '-1', '1.5', 'abc', '1e3', ' 5', '0x10', '9007199254740993', '9'.repeat(30)];
const NOT_TIMES = ['', '-1', '5x', 'abc', '1e3s', '1.5.5s', ' 5s'];
const COUNT = /must be a positive integer(?: \(20000, 20k, 10M\))?, not “.*”/;

/** Files where a capture is expected. */
const NOT_CAPTURES: readonly (readonly [string, RegExp])[] = [
  ['missing', /missing: no such file or directory/],
  ['folder', /folder: at byte 0: expected a capture file, found a directory/],
  [
    'empty',
    /empty: at byte 0: expected the magic number of a pcap, pcapng or snoop file, found an empty file/,
  ],
  ['junk', /junk: at byte 0: expected the magic number .*, found 00 ef de cd/],
  [
    'text.txt',
    /text\.txt: (at byte 0: expected the magic number .*, found 68 65 6c 6c|line 1: “h” is not a hexadecimal digit)/,
  ],
  ['cut.pcapng', /cut\.pcapng: at byte 152: expected a block of 76 bytes, found the end/],
  ['broken.gz', /broken\.gz: at byte 0: expected more gzip data, found/],
  ['circle', /circle: too many symbolic links/],
  ['ping.pcapng/x', /ping\.pcapng\/x: a part of the path is not a directory/],
  [LONG, /: the name is too long/],
  ['', /a path is empty: expected the name of a file or directory/],
];

/** Names and files where a program is expected. */
const NOT_PROGRAMS: readonly (readonly [string, RegExp])[] = [
  ['', /no program “”/],
  ['nope', /no program “nope”\n.*xdpsim programs lists/],
  ['icmp-echo', /no program “icmp-echo”; did you mean icmp_echo\?/],
  ['my', /no program “my”; did you mean my\.o\?/],
  ['icmp_eco', /no program “icmp_eco”; did you mean icmp_echo\?/],
  ['missing.o', /missing\.o: no such file/],
  ['missing.c', /missing\.c: no such file/],
  ['folder.c', /folder\.c: is a directory, not a C source/],
  ['./folder', /\.\/folder: is a directory/],
  ['empty', /empty: ELF header \+0x0: expected the magic 7f 45 4c 46, found an empty file/],
  ['junk', /junk: ELF header \+0x0: expected the magic 7f 45 4c 46, found 00 ef de cd/],
  ['cut.o', /cut\.o: ELF file \+0x\w+: expected 13 section headers .*, found the end/],
  [`${OBJECT}:nope`, /icmp_echo\.o: contains no program “nope”; available: icmp_echo/],
  [`${OBJECT}:`, /expected a function's name after the colon \(OBJECT:FUNCTION\)/],
  ['/dev/zero', /\/dev\/zero: is a device, not a regular file/],
];

const NOT_MODULES: readonly (readonly [string, RegExp])[] = [
  ['five.mjs', /five\.mjs: the default export: expected an object, got 5/],
  ['throws.mjs', /throws\.mjs: cannot be imported: on purpose/],
  ['missing.mjs', /missing\.mjs: no such file/],
  [TWO, /layer_coop\.o: contains several programs.*name one: OBJECT:FUNCTION/],
];

/** Places where no file can be written. */
const NOT_WRITABLE: readonly (readonly [string, RegExp])[] = [
  ['', /a path is empty: expected the name of a file or directory/],
  ['folder', /folder: is a directory/],
  ['missing/x', /missing\/x: no such file or directory/],
  ['text.txt/x', /text\.txt\/x: a part of the path is not a directory/],
  ['circle', /circle: too many symbolic links/],
  [LONG, /: the name is too long/],
];

/** Places where no directory can be made. */
const NOT_DIRECTORIES: readonly (readonly [string, RegExp])[] = [
  ['', /a path is empty: expected the name of a file or directory/],
  ['text.txt', /text\.txt: is not a directory/],
  ['text.txt/x', /text\.txt\/x: a part of the path is not a directory/],
  ['circle', /circle: too many symbolic links/],
  [LONG, /: the name is too long/],
];

function forms(
  table: readonly (readonly [string, RegExp])[],
  args: (value: string) => readonly string[],
): Refused[] {
  return table.map(([value, message]) => [args(value), message]);
}

const SETS: Readonly<Record<string, readonly Refused[]>> = {
  'the command itself': [
    [['verfy'], /unknown command 'verfy' \(Did you mean verify\?\)\n.*see xdpsim --help/],
    [[''], /unknown command ''/],
    [['--nope'], /unknown option '--nope'/],
    [['help', 'verfy'], /unknown command 'verfy' \(Did you mean verify\?\)\n.*see xdpsim --help/],
    [['help', 'corpus', 'nope'], /unknown command 'nope'\n.*see xdpsim corpus --help/],
    [['corpus', 'help', 'nope'], /unknown command 'nope'\n.*see xdpsim corpus --help/],
    [['run', 'help', '00'], /no program “help”/],
    [['corpus', 'nope'], /unknown command 'nope'\n.*see xdpsim corpus --help/],
    [['doctor', 'extra'], /too many arguments for 'doctor'\. Expected 0 arguments but got 1/],
  ],
  checksum: [
    // What stands before the fault is checked and printed (checksum/checksum.test.ts).
    ...forms(
      NOT_CAPTURES.filter(([file]) => file !== 'cut.pcapng'),
      (file) => ['checksum', file],
    ),
    ...each(NOT_COUNTS, (text) => ['checksum', 'ping.pcapng', '--max-faults', text], COUNT),
    [['checksum'], /missing required argument 'capture'\n.*see xdpsim checksum --help/],
    [['checksum', 'ping.pcapng', '--max-faults'], /option '--max-faults <n>' argument missing/],
    ...each(NOT_COUNTS, (text) => ['checksum', 'ping.pcapng', '--mtu', text], COUNT),
    ...each(NOT_COUNTS, (text) => ['checksum', 'ping.pcapng', '--explain', text], COUNT),
    ...forms(NOT_WRITABLE.slice(1), (path) => ['checksum', 'ping.pcapng', '--fix', path]),
    [['checksum', 'ping.pcapng', '--fix', ''], /--fix is empty: expected the name of a file/],
    ...forms(NOT_WRITABLE.slice(1), (path) => ['checksum', 'ping.pcapng', '--write-bad', path]),
    [['checksum', 'ping.pcapng', '--write-bad', ''], /--write-bad is empty: expected the name of a file/],
    ...['--bad', '--explain=1', '--fix=x', '--write-bad=x', '--layer=udp'].map(
      (option): Refused => [
        ['checksum', 'ping.pcapng', '--against', 'ping.pcapng', option],
        new RegExp(`--against cannot be combined with ${option.replace(/=.*/, '')}`),
      ],
    ),
    [
      ['checksum', 'ping.pcapng', 'ping.pcapng', '--against', 'ping.pcapng'],
      /compares one capture with another/,
    ],
    ...each(NOT_COUNTS, (text) => ['checksum', '--interface', 'lo', '--count', text], COUNT),
    ...each(
      NOT_TIMES,
      (text) => ['checksum', '--interface', 'lo', '--time', text],
      /--time must be a time \(60s, 5m, 500ms\), not/,
    ),
    ...['--explain=1', '--fix=x', '--write-bad=x', '--against=x'].map(
      (option): Refused => [
        ['checksum', '--interface', 'lo', option],
        new RegExp(`--interface cannot be combined with ${option.replace(/=.*/, '')}`),
      ],
    ),
    [['checksum', 'ping.pcapng', '--interface', 'lo'], /leave out the captures/],
    [['checksum', 'ping.pcapng', '--count', '3'], /--count belongs to --interface/],
    [['checksum', 'ping.pcapng', '--time', '3'], /--time belongs to --interface/],
    [['checksum', '-', '--against', '-'], /only one of the two captures/],
    [['checksum', 'ping.pcapng', '--layer', 'arp'], /--layer must be one of ipv4, .* not “arp”/],
    [['checksum', 'ping.pcapng', '--explain', '99'], /--explain 99: ping.pcapng has only \d+ packets/],
    [
      ['checksum', 'ping.pcapng', '--explain', '1', '--json', '--fix', 'x'],
      /--explain cannot be combined with --fix, --json/,
    ],
    [
      ['checksum', 'ping.pcapng', '--against', 'ping.pcapng', '--no-reassemble', '--mtu', '9000'],
      /--against cannot be combined with --no-reassemble, --mtu/,
    ],
  ],
  'corpus generate': [
    ...each(NOT_COUNTS, (text) => ['corpus', 'generate', '--out', 'new', '--runs', text], COUNT),
    ...forms([...NOT_PROGRAMS, ...NOT_MODULES], (name) => ['corpus', 'generate', name, '--out', 'new']),
    ...forms(NOT_WRITABLE, (path) => ['corpus', 'generate', '--runs', '3', '--out', path]),
    [['corpus', 'generate'], /required option '--out <file>' not specified/],
    [['corpus', 'generate', 'icmp_echo', 'more', '--out', 'new'], /Expected 1 argument but got 2/],
    [['corpus', 'generate', 'icmp_echo', '--out', 'new', '--map', 'nope=none.json'], /nope/],
    [
      ['corpus', 'generate', 'icmp_echo', '--out', 'new', '--max-entries', 'nope=5'],
      /--max-entries nope: no such map/,
    ],
    [['corpus', 'generate', 'icmp_echo', '--out', 'new', '--world', 'missing'], /missing: no such file/],
  ],
  'corpus convert, and --packets': [
    ...forms(NOT_CAPTURES, (file) => ['corpus', 'convert', file, '--out', 'new.hex']),
    ...each(
      ['new.pcapgn', 'new.xyz', 'x.pcapng.gz'],
      (out) => ['corpus', 'convert', 'ping.pcapng', '--out', out],
      /no format of packets ends in \.\w+; known are \.pcapng, \.pcap, \.hex/,
    ),
    [
      ['corpus', 'convert', 'ping.pcapng', '--out', 'new', '--format', 'pdf'],
      /--format must be one of pcapng, pcap, hex/,
    ],
    [
      ['corpus', 'convert', 'ping.pcapng', '--out', 'new', '--from', 'pdf'],
      /--from must be one of pcapng, pcap, hex/,
    ],
    [
      ['corpus', 'convert', 'null.json', '--out', 'new.hex'],
      /null\.json: packets: expected a list, got null/,
    ],
    [['corpus', 'convert', 'none.json', '--out', 'new.hex'], /none\.json: holds no packets as JSON/],
    [['corpus', 'convert', 'large-key.json', '--out', 'new.hex'], /packets\[0\]\.packet: is missing/],
    [['corpus', 'generate', '--out', 'new.pcapgn'], /no format of packets ends in \.pcapgn/],
    [['run', 'icmp_echo', FRAME, '--write', 'new.hex'], /expected a name that ends in \.pcapng or \.pcap/],
    [['run', 'icmp_echo', FRAME, '--write', 'new.dat'], /no format of packets ends in \.dat/],
    [['verify', 'icmp_echo', '--packets', 'missing'], /missing: no such file or directory/],
    [['verify', 'icmp_echo', '--packets', 'junk'], /junk: at byte 0: expected the magic number/],
  ],
  'corpus show, merge and minimize': [
    ...forms(NOT_CAPTURES, (file) => ['corpus', 'show', file]),
    ...each(
      NOT_FILTERS,
      (text) => ['corpus', 'show', 'ping.pcapng', '--filter', text],
      /^ {2}.*\n +\^~*\nxdpsim: filter, column \d+: .*\n/,
    ),
    ...each(
      NOT_FILTERS,
      (text) => ['checksum', 'ping.pcapng', '--filter', text],
      /^ {2}.*\n +\^~*\nxdpsim: filter, column \d+: .*\n/,
    ),
    ...forms(NOT_CAPTURES, (file) => ['corpus', 'merge', 'ping.pcapng', file, '--out', 'new']),
    ...forms(NOT_CAPTURES, (file) => ['corpus', 'minimize', 'icmp_echo', file, '--out', 'new']),
    ...forms([...NOT_PROGRAMS, ...NOT_MODULES], (name) => [
      ...['corpus', 'minimize', name, 'ping.pcapng', '--out', 'new'],
    ]),
    ...forms(NOT_DIRECTORIES, (path) => ['corpus', 'merge', 'ping.pcapng', '--out', path]),
    [
      ['corpus', 'minimize', 'icmp_echo', 'ping.pcapng', '--out', 'text.txt'],
      /text\.txt: is not a directory/,
    ],
    [['corpus', 'show'], /missing required argument 'file'/],
    [
      ['corpus', 'merge', 'ping.pcapng', 'vlan.hex', '--out', './ping.pcapng'],
      /--out names a file that is read: \.\/ping\.pcapng\n.*a name of its own/,
    ],
    [
      ['corpus', 'minimize', 'icmp_echo', 'ping.pcapng', '--out', 'ping.pcapng'],
      /--out names a file that is read: ping\.pcapng/,
    ],
    [
      ['corpus', 'minimize', 'icmp_echo', 'ping.pcapng', '--out', '.'],
      /--out names the directory of a file that is read: ping\.pcapng\n.*a directory of its own/,
    ],
    [['corpus', 'merge', 'ping.pcapng'], /required option '--out <path>' not specified/],
    [
      ['corpus', 'merge', 'ping.pcapng', '--out', 'new', '--program', ''],
      /--program is empty: expected a name/,
    ],
    [['corpus', 'minimize', 'icmp_echo', '--out', 'new'], /missing required argument 'file'/],
  ],
  disasm: forms(NOT_PROGRAMS.slice(1), (name) => ['disasm', name]),
  programs: [
    [['programs', 'icmp-echo'], /no program “icmp-echo”; did you mean icmp_echo\?/],
    [['programs', ''], /no program “”/],
    [['programs', 'my'], /no program “my”\n/],
    [['programs', 'a', 'b'], /Expected 1 argument but got 2/],
  ],
  bench: [
    ...each(NOT_COUNTS, (text) => ['bench', '--rounds', text], COUNT),
    [['bench', '--compare', 'missing.json'], /missing\.json: no such file/],
    ...each(
      ['', ',', 'nope', 'model,nope', 'constructor', '__proto__'],
      (text) => ['bench', '--only', text],
      /unknown figure “.*”\n.*Figures: testrun\/c, /,
    ),
  ],
  run: [
    ...forms([...NOT_PROGRAMS, ...NOT_MODULES], (name) => ['run', name, FRAME]),
    ...forms(NOT_CAPTURES.slice(1, 8), (file) => ['run', 'icmp_echo', file]),
    ...forms(NOT_WRITABLE, (path) => ['run', 'icmp_echo', FRAME, '--write', path]),
    ...each(
      ['', ' ', ':'],
      (text) => ['run', 'icmp_echo', text],
      /expected hexadecimal digits or the name of a capture/,
    ),
    ...each(
      ['nope', '', 'constructor'],
      (name) => ['run', 'icmp_echo', FRAME, '--engine', name],
      /unknown engine “.*”\n.*Engines: .*model/,
    ),
    ...each(
      NOT_FILTERS,
      (text) => ['run', 'icmp_echo', FRAME, '--filter', text],
      /^ {2}.*\n +\^~*\nxdpsim: filter, column \d+: .*\n/,
    ),
    [['run'], /no program given/],
    [['run', 'icmp_echo'], /no packets given/],
    [['run', 'icmp_echo', 'xyz'], /xyz: neither a file nor hexadecimal digits/],
    [['run', 'icmp_echo', '0'], /an odd number of hexadecimal digits \(1\)/],
    [['run', 'icmp_echo', '00'.repeat(70_000)], /engine vm refuses packet 1: .*, this one has 70000/],
    [['run', 'icmp_echo', FRAME, '--engine', 'vm,wasm'], /--engine takes one engine, not “vm,wasm”/],
    [['run', 'icmp_echo', FRAME, '--trace', '--engine', 'wasm'], /--trace works with engine vm only/],
    [['run', 'icmp_echo', FRAME, '--object', 'missing.o'], /missing\.o: no such file/],
    [['run', 'icmp_echo', FRAME, '--object', ''], /a path is empty/],
    [
      ['run', 'icmp_echo', FRAME, '--object', TWO],
      /contains no program “icmp_echo”; available: layer_coop_rx/,
    ],
    [
      ['run', 'icmp_echo', FRAME, '--write', 'new', '--json'],
      /'--write <file>' cannot be used with option '--json'/,
    ],
    [['run', 'icmp_echo', FRAME, '--json', '--tree'], /'--json' cannot be used with option '--tree'/],
    [
      ['run', '--bytecode', '00', '--map', 'a=b'],
      /'--bytecode \[memory\]' cannot be used with option '--map/,
    ],
    [['run', 'icmp_echo', '--bytecode'], /leave the program “icmp_echo” out/],
    [['run', '--bytecode', 'zz'], /memory: “z” is not a hexadecimal digit/],
  ],
  'run --map and --max-entries': [
    ...each(
      ['', 'x', '=', '=null.json'],
      (text) => ['run', 'icmp_echo', FRAME, '--map', text],
      /--map must have the form NAME=FILE, not “.*”/,
    ),
    ...forms(
      [
        ['nope=null.json', /the object has no map “nope”; available: xdp_stats_map/],
        ['xdp_stats_map=', /--map xdp_stats_map: no file is named after the “=”/],
        ['xdp_stats_map=missing', /missing: no such file/],
        ['xdp_stats_map=folder', /folder: is a directory/],
        ['xdp_stats_map=empty', /empty: is empty: expected JSON/],
        ['xdp_stats_map=junk', /junk: contains bytes that are no text: expected JSON/],
        ['xdp_stats_map=open.json', /open\.json: is not valid JSON: unexpected end/],
        ['xdp_stats_map=deep.json', /deep\.json: is not valid JSON/],
        ['xdp_stats_map=null.json', /null\.json: entries: expected a list, got null/],
        ['xdp_stats_map=short-value.json', /entries\[0\]\.value: expected 16 bytes, got 1/],
        [
          'xdp_stats_map=large-key.json',
          /xdp_stats_map.*expected entries for a map of 5, found .* key ffe0f505/,
        ],
      ],
      (text) => ['run', 'icmp_echo', FRAME, '--map', text],
    ),
    [
      ['run', 'icmp_echo', FRAME, '--map', 'xdp_stats_map=none.json', '--map', 'xdp_stats_map=none.json'],
      /--map xdp_stats_map is given twice: put all entries into one file/,
    ],
    ...each(
      ['', 'x', '=5'],
      (text) => ['run', 'icmp_echo', FRAME, '--max-entries', text],
      /--max-entries takes NAME=N, not “.*”/,
    ),
    ...each(
      ['0', '-1', 'abc', ''],
      (text) => ['run', 'icmp_echo', FRAME, '--max-entries', `xdp_stats_map=${text}`],
      COUNT,
    ),
    [
      ['run', 'icmp_echo', FRAME, '--max-entries', 'nope=5'],
      /--max-entries nope: no such map; available: xdp_stats_map/,
    ],
    [['run', 'icmp_echo', FRAME, '--max-entries', 'xdp_stats_map=99999999999'], /at most 4294967295 entries/],
  ],
  'run and verify --world and --aim': [
    ...forms(
      [
        ['missing', /missing: no such file/],
        ['folder', /folder: is a directory/],
        ['empty', /empty: is empty: expected JSON/],
        ['junk', /junk: contains bytes that are no text: expected JSON/],
        ['open.json', /open\.json: is not valid JSON: expected a value at line 1, column 7/],
        ['deep.json', /deep\.json: (is nested too deeply|is not valid JSON)/],
        ['null.json', /null\.json: expected an object, got null/],
        ['none.json', /none\.json: expected an object, got a list/],
        [
          'no-such-map.jsonc',
          /no-such-map\.jsonc: maps\.nope: the object has no such map; there is xdp_stats_map/,
        ],
      ],
      (text) => ['run', 'icmp_echo', FRAME, '--world', text],
    ),
    [['verify', 'icmp_echo', '--world', 'no-such-map.jsonc'], /maps\.nope: the object has no such map/],
    ...each(
      ['', 'port', '=5', 'port=80,'],
      (text) => ['verify', 'icmp_echo', '--aim', text],
      /--aim takes NAME=VALUE/,
    ),
    [['verify', 'icmp_echo', '--aim', 'prt=80'], /--aim: no “prt” to aim at; did you mean port\?/],
    [
      ['verify', 'icmp_echo', '--aim', 'port=65536'],
      /--aim port: expected an integer from 0 to 65535, got 65536/,
    ],
    [['verify', 'icmp_echo', '--aim', 'address=10.0.0'], /--aim address: .*10\.0\.0/],
  ],
  'world init': [
    [['world', 'init'], /missing required argument 'object'/],
    [['world', 'init', 'missing.o'], /missing\.o: no such file/],
    [['world', 'init', 'junk', '--out', '-'], /junk: ELF header/],
    [['world', 'init', 'icmp_echo', '--out', ''], /--out is empty/],
    [['world', 'init', 'icmp_echo', '--out', 'empty'], /empty: is there already/],
    [['world', 'init', 'icmp_echo', '--out', 'folder', '--force'], /folder: is a directory/],
  ],
  verify: [
    // Before the run: an hour is longer than any test waits.
    ...['--junit', '--coverage'].map((option): [string[], RegExp] => [
      ['verify', 'icmp_drop', '--time', '1h', option, 'nodir/x'],
      /nodir\/x: no such file or directory/,
    ]),
    ...['verify', 'check', 'prove', 'diff'].map((command): [string[], RegExp] => [
      [command, OBJECT, ...(command === 'diff' ? [OBJECT] : []), '--report', 'junk'],
      /--report junk: expected the name of a directory, found a file/,
    ]),
    [['verify', 'icmp_echo', '--seed', ''], /--seed is empty/],
    [['verify', OBJECT, '--object', OBJECT], /--object replaces .* is an object itself/],
    [['verify', 'icmp_echo', '--workers', 'x'], /must be a positive integer, not “x”/],
    [['verify', 'icmp_echo', '--runs', 'x'], /must be a positive integer \(20000, 20k, 10M\), not “x”/],
    ...['--runs', '--workers', '--max-divergences'].flatMap((option) =>
      each(NOT_COUNTS, (text) => ['verify', 'icmp_echo', option, text], COUNT),
    ),
    ...['--time', '--shrink-time'].flatMap((option) =>
      each(
        NOT_TIMES,
        (text) => ['verify', 'icmp_echo', option, text],
        /must be a time \(60s, 5m, 500ms\), not “.*”/,
      ),
    ),
    ...each(
      ['-1', '0', 'abc'],
      (text) => ['verify', 'icmp_echo', `--mutants=${text}`],
      /--mutants must be a positive integer/,
    ),
    [['verify', 'icmp_echo', '--min-score', '90'], /give --mutants, too/],
    ...[
      ['--junit', 'x.xml'],
      ['--coverage', 'x.info'],
      ['--require', 'testrun'],
      ['--live'],
      ['--packets', 'ping.pcapng'],
      ['--engines', 'vm'],
      ['--oracle', 'off'],
      ['--min-coverage', '50'],
      ['--max-divergences', '2'],
      ['--as-kernel', '6.1'],
      ['--workers', '2'],
      ['--shrink-time', '1'],
      ['--prove'],
    ].map(
      (option): Refused => [
        ['verify', 'icmp_echo', '--mutants', '5', ...option],
        new RegExp(`--mutants cannot be combined with ${option[0]}`),
      ],
    ),
    [
      ['prove', 'icmp_echo', '--against', 'icmp_filter', '--off', 'ttl', '--all-paths'],
      /--against cannot be combined with --off, --all-paths/,
    ],
    [['verify', 'icmp_echo', '--mutants', '--min-score', '101'], /must be a percentage from 0 to 100/],
    ...each(
      ['', '-1', '101', 'abc', '50%%', '1e1'],
      (text) => ['verify', 'icmp_echo', '--min-coverage', text],
      /must be a percentage from 0 to 100, not “.*”/,
    ),
    ...['--engines', '--require'].flatMap((option) =>
      each(
        ['', 'nope', 'constructor'],
        (name) => ['verify', 'icmp_echo', option, name],
        /unknown engine “.*”/,
      ),
    ),
    ...['--junit', '--coverage', '--report'].map(
      (option): Refused => [['verify', 'icmp_echo', option, ''], /is empty: expected the name of a file/],
    ),
    ...['--junit', '--coverage'].map(
      (option): Refused => [
        ['verify', 'icmp_echo', option, 'folder'],
        /folder: expected the name of a file to write, found a directory/,
      ],
    ),
    [
      ['verify', 'icmp_echo', '--junit', 'new', '--coverage', './new'],
      /--coverage and --junit name the same file/,
    ],
    [['verify', 'icmp_echo', '--time', '99999h'], /--time takes at most 24 days, not “99999h”/],
    [['verify', 'icmp_echo', '--workers', '65'], /--workers takes at most 64, not 65/],
    [['verify', 'icmp_echo', '--cflags', "-D'x"], /--cflags: a quote \('\) is not closed: “-D'x”/],
    [['verify', 'icmp_echo', '--oracle', 'x'], /'x' is invalid\. Allowed choices are off, checksums, all/],
    [['verify', 'icmp_echo', '--seed'], /option '--seed <seed>' argument missing/],
  ],
  prove: [
    [['prove'], /no program given: name an object, OBJECT\[:FUNCTION\], or a built-in program/],
    [['prove', 'nope'], /no program “nope”/],
    [['prove', 'cut.o'], /cut\.o: /],
    ...each(NOT_COUNTS, (text) => ['prove', 'icmp_echo', '--paths', text], COUNT),
    [['prove', 'icmp_echo', '--max-length', '9000'], /--max-length must be from 14 to 1514 bytes, not 9000/],
    [['prove', 'icmp_echo', '--off', 'nosuch'], /--off: there is no property “nosuch”/],
    [
      ['prove', 'icmp_echo', 'tcp_filter', '--against', 'icmp_filter'],
      /--against compares two builds: name one object besides icmp_filter, not 2/,
    ],
    [['prove', 'icmp_echo', '--against', 'nope'], /no program “nope”/],
    [['prove', 'icmp_echo', '--against', 'cut.o'], /cut\.o: /],
    [['prove', 'icmp_echo', '--time', 'soon'], /--time must be a time/],
  ],
  check: [
    [['check'], /no program given: name an object, OBJECT\[:FUNCTION\], or a built-in program/],
    [['check', 'nope'], /no program “nope”/],
    [['check', 'cut.o'], /cut\.o: /],
    ...each(NOT_COUNTS, (text) => ['check', 'icmp_echo', '--runs', text], COUNT),
    ...['--time', '--shrink-time'].flatMap((option) =>
      each(
        NOT_TIMES,
        (text) => ['check', 'icmp_echo', option, text],
        /must be a time \(60s, 5m, 500ms\), not “.*”/,
      ),
    ),
    ...each(
      ['', '-1', '101', 'abc'],
      (text) => ['check', 'icmp_echo', '--min-coverage', text],
      /must be a percentage from 0 to 100, not “.*”/,
    ),
    ...['--off', '--only'].flatMap((option) =>
      each(
        ['', 'nope', 'checksum/', 'ttl/nope', 'constructor'],
        (name) => ['check', 'icmp_echo', option, name],
        /no such invariant; (did you mean checksum\?; )?groups: checksum, /,
      ),
    ),
    ...each(
      ['', '6', '6.1,', '6.1,abc'],
      (text) => ['check', 'icmp_echo', '--as-kernel', text],
      /--as-kernel must be a version of Linux, like 6\.1, not “.*”/,
    ),
    [['check', 'icmp_echo', '--as-kernel', '6.1,3.2'], /--as-kernel knows Linux .* not 3\.2/],
    [['check', 'icmp_echo', '--map', 'nope=none.json'], /nope/],
    [['check', 'icmp_echo', '--max-entries', 'nope=5'], /--max-entries nope: no such map/],
    [
      ['check', 'icmp_echo', '--only', 'ttl', '--off', 'ttl'],
      /no invariant is left to judge: only ttl is asked for, and ttl is switched off\n/,
    ],
    [['check', 'icmp_echo', '--report', ''], /is empty: expected the name of a file/],
  ],
  init: [
    [['init', 'missing.c'], /missing\.c: no such file/],
    ...forms(
      NOT_PROGRAMS.filter(
        ([name]) => !['', 'nope', 'icmp-echo', 'icmp_eco', 'my', 'folder.c'].includes(name),
      ),
      (name) => ['init', name],
    ),
    [['init', 'text.txt'], /text\.txt: ELF header/],
    [['init', 'folder.c'], /folder\.c: is a directory/],
    [['init', '--format', 'yaml'], /'yaml' is invalid\. Allowed choices are json, js, ts/],
  ],
  'outputs that would take the place of an object': (
    [
      ['verify', 'icmp_echo', '--junit'],
      ['verify', 'icmp_echo', '--coverage'],
      ['check', 'icmp_drop', '--junit'],
      ['check', 'icmp_drop', '--sarif'],
      ['check', 'icmp_drop', '--update-baseline', '--baseline'],
      ['checksum', 'ping.pcapng', '--fix'],
      ['checksum', 'ping.pcapng', '--write-bad'],
      ['run', 'icmp_echo', FRAME, '--write'],
      ['corpus', 'generate', '--runs', '3', '--out'],
      ['corpus', 'convert', 'ping.pcapng', '--format', 'hex', '--out'],
      ['world', 'init', 'icmp_echo', '--force', '--out'],
    ] as const
  ).map(
    (args): Refused => [
      [...args, 'my.o'],
      /my\.o: (is a compiled object|contains bytes|no format of packets ends in)/,
    ],
  ),
  'check for teams': [
    [
      ['check', 'icmp_drop', '--baseline', 'missing.json'],
      /missing\.json: no such file\n.*--update-baseline/,
    ],
    ...['--junit', '--sarif', '--baseline'].map(
      (option): Refused => [['check', 'icmp_drop', option, ''], /is empty: expected the name of a file/],
    ),
    ...['--junit', '--sarif'].map(
      (option): Refused => [
        ['check', 'icmp_drop', option, 'folder'],
        /folder: expected the name of a file to write/,
      ],
    ),
    [['check', 'icmp_drop', '--junit', 'new', '--sarif', './new'], /--junit and --sarif name the same file/],
    [
      ['check', 'icmp_drop', '--github', '--json'],
      /'--json' cannot be used with option '--github'|'--github' cannot be used with option '--json'/,
    ],
    [['check', 'icmp_drop', '--config', 'missing.json'], /missing\.json: no such file\n.*xdpsim init/],
    [['check', 'icmp_drop', '--config', 'open.json'], /open\.json: is not valid JSON/],
    [
      ['check', 'icmp_drop', '--config', 'none.json'],
      /none\.json: the configuration: expected an object, got/,
    ],
    [
      ['check', 'icmp_drop', '--config', 'five.mjs'],
      /five\.mjs: the configuration: expected an object, got 5/,
    ],
    [['check', 'icmp_drop', '--config', 'throws.mjs'], /throws\.mjs: cannot be imported: on purpose/],
    [['check', '--config', 'no-programs.json'], /no-programs\.json: names no programs/],
    [
      ['check', '--config', 'typo.json'],
      /typo\.json: programs\[0\]\.maxEntrys: unknown field; did you mean “maxEntries”\?/,
    ],
    [
      ['check', '--config', 'no-reason.json'],
      /no-reason\.json: off\.ttl: expected the reason why it is switched off, got/,
    ],
    [['check', '--config', 'gone.json'], /gone\.o: no such file/],
    [
      ['check', '--config', 'no-rule.json'],
      /^xdpsim: no-rule\.json: off\.nothing: no such invariant; groups/m,
    ],
    [
      ['check', 'icmp_drop', '--config', 'near-rule.json'],
      /^xdpsim: near-rule\.json: programs\[1\]\.off\.counters: no such invariant; did you mean counter\?/m,
    ],
    [['check', 'icmp_drop', '--baseline', 'text.txt'], /text\.txt: is not valid JSON/],
    [['check', 'icmp_drop', '--baseline', 'null.json'], /null\.json: expected an object, got null/],
  ],
  diff: [
    ...forms(NOT_PROGRAMS, (name) => ['diff', name, OBJECT]),
    ...forms(NOT_PROGRAMS, (name) => ['diff', OBJECT, name]),
    ...each(NOT_COUNTS, (text) => ['diff', OBJECT, OBJECT, '--runs', text], COUNT),
    [['diff'], /missing required argument 'old'/],
    [['diff', OBJECT], /icmp_echo\.o: name the build to compare it with\n.*--flags=-O1 --flags=-O3/],
    [['diff', OBJECT, '--flags', '-O1', '--flags', '-O2'], /icmp_echo\.o: is no C source/],
    [['diff', OBJECT, OBJECT, '--flags', '-O1'], /--flags compares builds of one source: leave .* out/],
    [['diff', OBJECT, TWO, '--map', 'x=y'], /--map/],
    [['diff', OBJECT, TWO, '--max-entries', 'x=1'], /--max-entries x: no such map/],
    [['diff', OBJECT, OBJECT, '--report', ''], /--report is empty/],
    [['diff', 'missing.c', '--flags', '-O1', '--flags', "-D'"], /--flags: a quote \('\) is not closed/],
  ],
  'lab run': [
    ...forms(
      [
        ['', /“” is neither a file nor a built-in scenario/],
        ['nope', /“nope” is neither a file nor a built-in scenario/],
        ['folder', /folder: is a directory/],
        ['empty', /empty: is empty: expected JSON/],
        ['junk', /junk: contains bytes that are no text: expected JSON/],
        ['open.json', /open\.json: is not valid JSON: unexpected end/],
        ['null.json', /null\.json: scenario: expected an object, got null/],
        ['unnamed.json', /unnamed\.json: scenario\.name: expected a string, got 5/],
        ['circle', /circle: too many symbolic links/],
      ],
      (file) => ['lab', 'run', file],
    ),
    [['lab', 'run', 'nope', '--in', 'x'], /'x' is invalid\. Allowed choices are sim, kernel, both/],
    [['lab', 'run', 'nope', '--engine', 'wasm'], /'wasm' is invalid\. Allowed choices are vm, model/],
    [['lab', 'run', 'a', 'b'], /Expected 1 argument but got 2/],
  ],
};

/** These look for rights first: without them, they end with 3. */
const LAB: readonly Refused[] = [
  ...each(
    ['', 'a b', 'a/b', '..', 'lo', 'ü', '%d'],
    (name) => ['lab', 'setup', name, ...NO_LAB],
    /cannot be an environment's name/,
  ),
  [['lab', 'setup', 'x'.repeat(16), ...NO_LAB], /has 16 characters\n.*at most 15/],
  ...['', 'a/b', '..', LONG].map(
    (lab): Refused => [['lab', 'setup', 'a', '--lab', lab], /cannot be a lab's name/],
  ),
  ...['teardown', 'reset', 'status', 'unload', 'stats', 'maps', 'enter', 'tcpdump', 'ping'].flatMap(
    (command): Refused[] => [
      [['lab', command, 'a', ...NO_LAB], /nobody-has-set-this-up is not set up\n.*xdpsim lab setup/],
      [['lab', command, 'a', '--lab', '../..'], /“\.\.\/\.\.” cannot be a lab's name/],
      [['lab', command, 'a', '--host', '--lab', 'b'], /--host and --lab name different labs/],
    ],
  ),
  [['lab', 'exec', 'a'], /missing required argument 'command'/],
  [
    ['lab', 'load', 'a', 'b', 'icmp_echo', ...NO_LAB],
    /lab load takes one environment and one object: after a came b and icmp_echo\n.*once for each environment/,
  ],
  [['lab', 'redirect', 'a'], /missing required argument 'b'/],
  [['lab', 'trace', 'x'], /Expected 0 arguments but got 1/],
  ...each(NOT_COUNTS, (text) => ['lab', 'ping', 'a', '--count', text, ...NO_LAB], COUNT),
  ...each(
    ['', 'fast'],
    (mode) => ['lab', 'load', 'a', 'icmp_echo', '--mode', mode, ...NO_LAB],
    /--mode must be native or generic/,
  ),
  ...forms(
    [
      ['nope', /no program “nope”/],
      ['missing.o', /missing\.o: no such file/],
      ['./folder', /folder: is a directory/],
      ['icmp_echo', /is not set up/],
    ],
    (object) => ['lab', 'load', 'a', object, ...NO_LAB],
  ),
];

function files(): string[] {
  return readdirSync(scratch, { recursive: true }).map(String).sort();
}

/** Options of `verify` that only its worker process reads: from the sources, that one takes a second to start. */
const WORKERS_OPTIONS = ['--world', '--aim', '--packets'];

function run(args: readonly string[]): Promise<Ended> {
  const hasWorker = args[0] === 'verify' && args.some((arg) => WORKERS_OPTIONS.includes(arg));
  return hasWorker ? xdpsimIn(scratch, ...args) : runInProcess(...args);
}

async function refuses([args, message]: Refused): Promise<string | undefined> {
  const before = files();
  const { code, out, err: said } = await run(args);
  // Whether a lab is there is asked while no other test changes one.
  const err = said.replace('waiting for another xdpsim lab command to end\n', '');
  const written = files().filter((name) => !before.includes(name));
  const all = err.trimEnd().split('\n');
  // What the user wrote, with a mark below what is wrong in it, may come first.
  const first = all.length > 2 && all[1]!.trimStart().startsWith('^') ? 2 : 0;
  const lines = all.slice(first);
  const isRight =
    code === 2 &&
    out === '' &&
    written.length === 0 &&
    message.test(err) &&
    // One sentence, and perhaps what to do.
    lines.length <= 2 &&
    lines[0]!.startsWith('xdpsim: ') &&
    lines.slice(1).every((line) => line.startsWith('        '));
  for (const name of written) rmSync(join(scratch, name), { recursive: true, force: true });
  if (isRight) return undefined;
  return `${args.join(' ').slice(0, 200)}: code ${code}, expected ${message}\n${err.slice(0, 600)}${out.slice(0, 200)}${written}`;
}

async function wrong(cases: readonly Refused[]): Promise<string[]> {
  const found: string[] = [];
  for (const one of cases) {
    const problem = await refuses(one);
    if (problem !== undefined) found.push(problem);
  }
  return found;
}

describe('input that cannot be used', () => {
  it.each(Object.keys(SETS))('%s', async (name) => {
    expect(await wrong(SETS[name]!)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('lab', async () => {
    expect(await wrong(LAB)).toEqual([]);
  });

  it('is not an option that is given twice: the last one counts, and that is said', async () => {
    const { code, out, err } = await runInProcess('programs', '--json', '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toHaveProperty('programs');
    const twice = await runInProcess('run', 'icmp_echo', FRAME, '--engine', 'wasm', '--engine', 'vm');
    expect(twice).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^packet 1: XDP_/),
      err: 'xdpsim: --engine is given more than once: “vm” counts, not “wasm”\n',
    });
  });
});
