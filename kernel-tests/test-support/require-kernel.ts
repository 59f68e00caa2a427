/**
 * Suites that need the real kernel: run where it can be reached, skipped with the reason where it cannot, and
 * failed instead of skipped where `XDPSIM_REQUIRE_KERNEL=1` says that it must be there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { release } from 'node:os';
import { describe, it } from 'vitest';
import { compilerProblem } from '../../bpf/compile.ts';
import { framesAvailability } from '../../kernel/frames/frames.ts';
import { kernelIsOlderThan } from '../../kernel/kernel-version.ts';
import { libbpfAvailability } from '../../kernel/libbpf/libbpf.ts';
import { pingAvailability } from '../../kernel/ping/ping.ts';
import { testRunAvailability } from '../../kernel/testrun/availability.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { Availability } from '../../sim/engines/engine.ts';

/** What a suite can need of the machine. Each is asked of it, never guessed from a version. */
type Named = 'root' | 'libbpf' | 'testrun' | 'frames' | 'compiler' | 'ping' | 'libxdp' | 'tshark';

/**
 * What cannot be had by installing something: instructions and helpers that came, or changed, with a version. The
 * machine follows the youngest. Suites that need one are skipped on older kernels even where kernels are required.
 */
export type Need = Named | `linux ${KernelVersion}`;

const ANSWERS: Readonly<Record<Named, () => Availability>> = {
  /** Network namespaces, mounts, bpf(2). */
  root,
  /** libbpf can be called. */
  libbpf: libbpfAvailability,
  /** Programs can be loaded and run with `BPF_PROG_TEST_RUN`. */
  testrun: () => testRunAvailability('xdp'),
  /** Frames can be sent and captured (the package `cap`). */
  frames: framesAvailability,
  /** The pinned clang, for programs that are compiled in the test. */
  compiler,
  /** The package `raw-socket`. */
  ping: pingAvailability,
  /** Debian's compiled XDP programs. */
  libxdp,
  /** Wireshark's decoders on the command line. */
  tshark,
};

/** Where Debian's libxdp1 and xdp-tools put their objects; undefined where they are not installed. */
export function libxdpObjects(): string | undefined {
  if (!existsSync('/usr/lib')) return undefined;
  const folders = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `/usr/lib/${entry.name}/bpf`);
  return folders.find((folder) => existsSync(`${folder}/xdp-dispatcher.o`));
}

function libxdp(): Availability {
  if (process.platform === 'linux' && libxdpObjects() !== undefined) return { available: true };
  return { available: false, reason: 'libxdp1 is not installed', remedy: 'run npm run setup' };
}

function tshark(): Availability {
  if (spawnSync('tshark', ['--version']).status === 0) return { available: true };
  return { available: false, reason: 'tshark is not installed', remedy: 'run npm run setup' };
}

function compiler(): Availability {
  const problem = compilerProblem();
  if (problem === undefined) return { available: true };
  const [reason = problem, remedy = 'run npm run setup'] = problem.split(': ', 2);
  return { available: false, reason, remedy };
}

function root(): Availability {
  if (process.platform === 'linux' && process.geteuid?.() === 0) return { available: true };
  return { available: false, reason: 'not root on Linux', remedy: 'run it with sudo' };
}

/** `describe` for a suite with needs. What is missing, and how to get it, stands in the skipped test's name. */
export function describeKernel(name: string, needs: readonly Need[], body: () => void): void {
  const missing = firstMissing(needs);
  if (missing === undefined) {
    describe(name, body);
    return;
  }
  const reason = `${missing.reason}: ${missing.remedy}`;
  if (process.env.XDPSIM_REQUIRE_KERNEL === '1' && !missing.isVersion) {
    describe(name, () => {
      it('can run here', () => {
        throw new Error(`skipped, though XDPSIM_REQUIRE_KERNEL=1 says it must run: ${reason}`);
      });
    });
    return;
  }
  describe.skip(`${name} (skipped: ${reason})`, body);
}

interface Missing {
  readonly reason: string;
  readonly remedy: string;
  readonly isVersion: boolean;
}

function firstMissing(needs: readonly Need[]): Missing | undefined {
  for (const need of needs) {
    const version = versionOf(need);
    const answer = version === undefined ? answerTo(need as Named) : linux(version);
    if (!answer.available) return { ...answer, isVersion: version !== undefined };
  }
  return undefined;
}

const answered = new Map<Named, Availability>();

/** Asked once per process: a look at the compiler starts two programs. */
function answerTo(need: Named): Availability {
  const known = answered.get(need) ?? ANSWERS[need]();
  answered.set(need, known);
  return known;
}

function versionOf(need: Need): KernelVersion | undefined {
  return need.startsWith('linux ') ? (need.slice('linux '.length) as KernelVersion) : undefined;
}

function linux(version: KernelVersion): Availability {
  if (!kernelIsOlderThan(version)) return { available: true };
  return { available: false, reason: `this is Linux ${release()}`, remedy: `use Linux ${version} or later` };
}
