/**
 * What works on this machine, for `xdpsim doctor`: every check is tried for real, and none throws. What is missing
 * comes with the way to get it.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { type Availability, EngineError } from '../sim/engines/engine.ts';
import { slowFrames } from './frames/frames.ts';
import { koffiFailure } from './koffi.ts';
import { libbpfAvailability, requireLibbpf } from './libbpf/libbpf.ts';
import { loadAvailability } from './libbpf/load-probe.ts';
import type { NativeProblem } from './native-package.ts';
import { netnsAvailability } from './network/netns.ts';
import { slowPing } from './ping/ping.ts';
import { type Capability, effectiveCapabilities, remedyFor, standingOf } from './process/capabilities.ts';
import { maxTestRunMetadata, testRunAvailability } from './testrun/availability.ts';
import { canObserveTrace } from './testrun/trace.ts';

export interface Check {
  /** A short name that stays the same from version to version: `libbpf`, `testrun-xdp`. */
  readonly name: string;
  readonly ok: boolean;
  /** What was found: a version, a number; or, where `ok` is false, what is missing. */
  readonly detail: string;
  /** How to get what is missing; undefined where `ok` is true. */
  readonly remedy?: string;
  /** What does not work without it. */
  readonly neededFor: string;
}

/** The answer of one check: what was found, or what is missing and how to get it. */
type Answer = { readonly found: string } | { readonly missing: string; readonly remedy: string };

interface Probe {
  readonly name: string;
  readonly neededFor: string;
  readonly ask: () => Answer;
}

const PROBES: readonly Probe[] = [
  { name: 'linux', neededFor: 'the engines testrun and veth', ask: linux },
  right('CAP_BPF', 'loading programs'),
  right('CAP_PERFMON', 'loading programs: without it, the verifier refuses most that read packets'),
  right('CAP_NET_ADMIN', 'loading XDP and TC programs, and devices'),
  right('CAP_SYS_ADMIN', 'network namespaces: the engine veth, worlds with devices, the lab'),
  right('CAP_NET_RAW', 'sending and capturing frames: the engine veth'),
  { name: 'koffi', neededFor: 'the engines testrun and veth', ask: koffi },
  { name: 'libbpf', neededFor: 'the engines testrun and veth', ask: libbpf },
  {
    name: 'programs',
    neededFor: 'the engines testrun and veth, the lab',
    ask: () => fromAvailability(loadAvailability('xdp'), 'the kernel loads them'),
  },
  { name: 'testrun-xdp', neededFor: 'the engine testrun', ask: () => testRun('xdp') },
  { name: 'testrun-tc', neededFor: 'the engine testrun on TC programs', ask: () => testRun('tc-ingress') },
  { name: 'bpf-jit', neededFor: 'the kernel’s full speed', ask: jit },
  { name: 'btf', neededFor: 'objects with CO-RE relocations', ask: btf },
  { name: 'tracefs', neededFor: 'comparing trace lines', ask: tracefs },
  {
    name: 'netns',
    neededFor: 'the engine veth, worlds with devices, the lab',
    ask: () => fromAvailability(netnsAvailability(), 'network namespaces can be made and entered'),
  },
  { name: 'run', neededFor: 'the lab, which keeps its state in /run/xdpsim', ask: stateDirectory },
  { name: 'bpffs', neededFor: 'the lab', ask: bpffs },
  {
    name: 'cap',
    neededFor: 'the full speed of the engine veth: without it, xdpsim uses packet sockets',
    ask: () => native(slowFrames()),
  },
  {
    name: 'raw-socket',
    neededFor: 'pings through libuv: without it, xdpsim uses raw sockets of its own',
    ask: () => native(slowPing()),
  },
  {
    name: 'ip',
    neededFor: 'the engine veth, worlds with devices, the lab',
    ask: () => tool('ip', ['-V'], 'iproute2'),
  },
  { name: 'ping', neededFor: 'xdpsim lab ping', ask: () => tool('ping', ['-V'], 'iputils-ping') },
  { name: 'tcpdump', neededFor: 'xdpsim lab tcpdump', ask: () => tool('tcpdump', ['--version'], 'tcpdump') },
  {
    name: 'clang',
    neededFor: 'building bpf/ (npm run bpf)',
    ask: () => tool('clang-14', ['--version'], 'clang-14'),
  },
];

function right(name: Capability, neededFor: string): Probe {
  return { name, neededFor, ask: () => capability(name) };
}

/** Asks all of it. Takes some 100 ms; makes a network namespace and removes it again. */
export function probeMachine(): Check[] {
  return PROBES.map(({ name, neededFor, ask }) => {
    const answer = withoutThrowing(ask);
    return 'found' in answer
      ? { name, neededFor, ok: true, detail: answer.found }
      : { name, neededFor, ok: false, detail: answer.missing, remedy: answer.remedy };
  });
}

function withoutThrowing(ask: () => Answer): Answer {
  try {
    return ask();
  } catch (error) {
    return {
      missing: error instanceof Error ? error.message : String(error),
      remedy:
        (error instanceof EngineError ? error.remedy : undefined) ??
        'This is not expected: please report the message.',
    };
  }
}

function native(problem: NativeProblem | undefined): Answer {
  if (problem === undefined) return { found: `loads in Node ${process.versions.node}` };
  return { missing: problem.reason, remedy: problem.remedy };
}

function fromAvailability(availability: Availability, found: string): Answer {
  return availability.available ? { found } : { missing: availability.reason, remedy: availability.remedy };
}

/** The oldest kernel that all of it is meant for. */
const OLDEST = [5, 10] as const;

function linux(): Answer {
  if (process.platform !== 'linux') return { missing: `this is ${process.platform}`, remedy: 'use Linux' };
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const old = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (old)
    return { missing: `Linux ${release()} is too old`, remedy: `use Linux ${OLDEST.join('.')} or later` };
  return { found: `Linux ${release()} on ${process.arch}` };
}

function capability(name: Capability): Answer {
  if (process.platform !== 'linux') return { missing: `this is ${process.platform}`, remedy: 'use Linux' };
  const effective = effectiveCapabilities();
  if (effective === undefined) {
    return { missing: 'the capabilities of this process cannot be read', remedy: 'mount -t proc proc /proc' };
  }
  const standing = standingOf(name, effective);
  if (standing === 'no') return { missing: 'this process does not have it', remedy: remedyFor([name]) };
  return { found: standing === 'yes' ? 'held' : 'included in CAP_SYS_ADMIN' };
}

function koffi(): Answer {
  const failure = koffiFailure();
  return failure === undefined ? { found: 'loads' } : { missing: failure, remedy: 'npm install koffi' };
}

function libbpf(): Answer {
  const availability = libbpfAvailability();
  if (!availability.available) return fromAvailability(availability, '');
  return { found: requireLibbpf().bpf.libbpf_version_string() };
}

function testRun(hook: 'xdp' | 'tc-ingress'): Answer {
  const metadata = hook === 'xdp' ? `, up to ${maxTestRunMetadata()} bytes of metadata` : '';
  return fromAvailability(testRunAvailability(hook), `a program was loaded and run${metadata}`);
}

function jit(): Answer {
  const path = '/proc/sys/net/core/bpf_jit_enable';
  const text = readText(path);
  // A kernel that is built to always compile has no interpreter, and may have no switch either.
  if (text === undefined) {
    const remedy = existsSync('/proc/sys/net')
      ? 'use a kernel with CONFIG_BPF_JIT'
      : 'mount -t proc proc /proc';
    return { missing: `${path} is not there`, remedy };
  }
  if (text === '0') return { missing: 'it is off', remedy: 'sysctl net.core.bpf_jit_enable=1' };
  return { found: 'on' };
}

function btf(): Answer {
  const path = '/sys/kernel/btf/vmlinux';
  try {
    return { found: `${Math.round(statSync(path).size / 1024)} KiB in ${path}` };
  } catch {
    const isMounted = existsSync('/sys/kernel');
    const remedy = isMounted ? 'use a kernel with CONFIG_DEBUG_INFO_BTF' : 'mount -t sysfs sysfs /sys';
    return { missing: `${path} is not there`, remedy };
  }
}

function tracefs(): Answer {
  if (canObserveTrace()) return { found: 'lines of bpf_printk can be observed' };
  return {
    missing: 'lines of bpf_printk cannot be observed',
    remedy: 'run it as root, on a kernel with CONFIG_BPF_EVENTS and CONFIG_PERF_EVENTS',
  };
}

function stateDirectory(): Answer {
  const path = ['/run/xdpsim', '/run', '/'].find((one) => existsSync(one))!;
  try {
    accessSync(path, constants.W_OK);
    return { found: `${path} can be written` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      missing: `${path} cannot be written (${code})`,
      remedy: code === 'EROFS' ? 'mount -t tmpfs tmpfs /run' : 'run it with sudo',
    };
  }
}

/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

/** Where there is none, nothing is missing: the lab has one of its own then. */
function bpffs(): Answer {
  const path = '/sys/fs/bpf';
  try {
    if (statfsSync(path).type === BPF_FS_MAGIC)
      return { found: `mounted at ${path}: the lab pins maps there` };
  } catch {
    // Without /sys there is no such directory.
  }
  return { found: `not mounted at ${path}: the lab pins maps in /run/xdpsim` };
}

function tool(command: string, args: readonly string[], packageName: string): Answer {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  const remedy = `apt-get install ${packageName}`;
  if (error !== undefined) return { missing: `\`${command}\` is not there`, remedy };
  const line = `${stdout}${stderr}`.split('\n')[0]!.trim();
  return status === 0 ? { found: line } : { missing: `\`${command}\` does not work: ${line}`, remedy };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
