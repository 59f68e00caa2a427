/**
 * Compiles a C source that is named in the place of an object. The object comes through a pipe: nothing is written to
 * disk, so that nothing can be left behind.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { requireOwnEnd } from '../../bpf/tool-ended.ts';
import { EXIT, environmentFailure, Failure, inputFailure } from '../failure.ts';
import { isDirectory, requireRegularFile } from '../input/read-file.ts';
import { findClang } from './find-clang.ts';
import { compilerSettings } from './settings.ts';

/** As for objects that are read from files. */
const MAX_OBJECT = 64 * 1024 * 1024;

export interface Compiled {
  readonly object: Uint8Array;
  /** What the compiler said all the same; empty where it said nothing. */
  readonly warnings: string;
  /** The files that the source includes, as the compiler names them. */
  readonly includes: readonly string[];
}

/** Is the file a C source, by its name? */
export function isSource(path: string): boolean {
  return /\.c$/.test(path);
}

/** The folder of libc's and the kernel's headers for one machine, and what compilers for it define. */
const ARCHITECTURES: Readonly<
  Record<string, { readonly folder: string; readonly defines: readonly string[] }>
> = {
  x64: { folder: 'x86_64-linux-gnu', defines: ['-D__x86_64__', '-D__TARGET_ARCH_x86'] },
  arm64: { folder: 'aarch64-linux-gnu', defines: ['-D__aarch64__', '-D__TARGET_ARCH_arm64'] },
};

/**
 * The flags for sources in a folder, before those of the user's. Without the machine's define, the libc headers ask for
 * gnu/stubs-32.h; the compilation directory keeps paths of this machine out of the object.
 */
export function defaultFlags(): string[] {
  const here = ARCHITECTURES[process.arch];
  const multiarch = here === undefined ? undefined : `/usr/include/${here.folder}`;
  return [
    ...['-O2', '-g', '-target', 'bpf'],
    ...(here?.defines ?? []),
    ...(multiarch !== undefined && existsSync(multiarch) ? [`-I${multiarch}`] : []),
    '-fdebug-compilation-dir=.',
    '-fno-crash-diagnostics',
  ];
}

/**
 * @param path of the source
 * @throws {Failure} where there is no compiler, and where the source does not compile: with the compiler's messages
 */
export function compileSource(path: string): Compiled {
  const settings = compilerSettings();
  requireRegularFile(path);
  if (isDirectory(path)) throw inputFailure(`${path}: is a directory, not a C source`);
  const clang = findClang(settings.clang);
  const source = shortest(path);
  const ran = spawnSync(
    clang,
    [
      ...defaultFlags(),
      ...settings.flags,
      // `#include <vmlinux.h>`, too, finds the file beside the source.
      `-I${dirname(source)}`,
      // Names every file that is included, on standard error.
      '-H',
      ...['-c', source, '-o', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: MAX_OBJECT },
  );
  if (ran.error !== undefined) throw environmentFailure(`${clang}: cannot be started: ${ran.error.message}`);
  requireOwnEnd(clang, ran.signal);
  const { includes, messages: all } = readMessages(ran.stderr.toString('utf8'));
  const messages = withoutStack(all);
  if (ran.status !== 0) {
    throw new CompileFailure(
      `${path}: does not compile (${clang})`,
      { log: messages.trimEnd() === '' ? `exit code ${ran.status}` : messages, remedy: remedyFor(messages) },
      includes,
    );
  }
  return { object: ran.stdout, warnings: messages, includes };
}

/** A source that does not compile. */
export class CompileFailure extends Failure {
  /** The files that it includes, as far as the compiler came. */
  readonly includes: readonly string[];

  constructor(
    message: string,
    details: { readonly log: string; readonly remedy: string | undefined },
    includes: readonly string[],
  ) {
    super(EXIT.input, message, details);
    this.includes = includes;
  }
}

/** As it is relative to the current folder, where that is no way out of it; never like an option. */
function shortest(path: string): string {
  const near = relative('.', resolve(path));
  const name = near.startsWith('..') || isAbsolute(near) ? path : near;
  return name.startsWith('-') ? `./${name}` : name;
}

/** Takes apart what `-H` prints (dots for the depth, and the file's name) and the compiler's messages. */
function readMessages(stderr: string): { includes: string[]; messages: string } {
  const includes = new Set<string>();
  const lines = stderr.split('\n').filter((line) => {
    const file = /^\.+ (.+)$/.exec(line)?.[1];
    if (file !== undefined) includes.add(file);
    return file === undefined;
  });
  return { includes: [...includes], messages: lines.join('\n') };
}

/**
 * The compiler's own error (`fatal error: error in backend: …`) without the stack of the compiler that it prints
 * behind it. Where it crashed without a word, its stack is all there is.
 */
function withoutStack(messages: string): string {
  const [said, ...stack] = messages.split(/^(?=PLEASE submit a bug report|Stack dump:)/m);
  return stack.length > 0 && said !== undefined && /\berror: /.test(said) ? said : messages;
}

/** What to do about the failures that everybody meets first. */
const REMEDIES: readonly (readonly [message: RegExp, remedy: string])[] = [
  [
    /'vmlinux\.h' file not found/,
    'Put vmlinux.h beside the source: bpftool btf dump file /sys/kernel/btf/vmlinux format c > vmlinux.h',
  ],
  [
    /'bpf\/bpf_[a-z_]+\.h' file not found/,
    'Install libbpf’s headers (Debian, Ubuntu: apt-get install libbpf-dev; Fedora: dnf install libbpf-devel).',
  ],
  [
    /'(asm|linux)\/[a-z_/]+\.h' file not found/,
    'Install the kernel’s headers (Debian, Ubuntu: apt-get install linux-libc-dev; Fedora: dnf install kernel-headers).',
  ],
  [
    /Invalid usage of the XADD return value/,
    'Atomic operations whose result is used need -mcpu=v3: --cflags -mcpu=v3',
  ],
  [
    /[Uu]nsupported atomic operation/,
    'Atomic operations on 32 bits, other than additions whose result nobody uses, need -mcpu=v3: --cflags -mcpu=v3',
  ],
  [/file not found/, 'Name the folder that has it: --cflags -IFOLDER'],
  [
    /[Uu]nable to create target|[Uu]nknown target triple|No available targets/,
    'This compiler has no BPF target: name one that has (--clang PATH).',
  ],
];

function remedyFor(messages: string): string | undefined {
  return REMEDIES.find(([message]) => message.test(messages))?.[1];
}
