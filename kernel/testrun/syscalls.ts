/** The system calls that test runs need beside bpf(2). */
import { EngineError } from '../../sim/engines/engine.ts';
import { addressOf, type Pointer, requireLibbpf } from '../libbpf/libbpf.ts';

export interface Syscalls {
  /** @returns a file descriptor or -1 */
  perfEventOpen(attributes: Pointer, pid: number, cpu: number, group: number, flags: number): number;
  /** @returns an address, or -1 */
  mmap(
    address: Pointer,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): Pointer;
  munmap(address: Pointer, length: number): number;
  /** Closes a descriptor that did not come from Node: in worker threads `closeSync` would warn of such. */
  close(fd: number): void;
  /** A file system mounted nowhere, as a descriptor of its root; -1 where the kernel refuses. */
  mountDetached(type: string): number;
  /** CPUs that the calling thread may run on, as a bit set. */
  affinity(): Uint8Array;
  /** The CPU on which the calling thread runs just now. */
  currentCpu(): number;
  /** @throws {EngineError} `environment`, where there is no such CPU */
  setAffinity(cpus: Uint8Array): void;
}

/** perf_event_open(2) is the one number that differs between architectures; the mount calls came after that time. */
const PERF_EVENT_OPEN = process.arch === 'arm64' ? 241 : 298;
const FSOPEN = 430;
const FSCONFIG = 431;
const FSMOUNT = 432;
const FSCONFIG_CMD_CREATE = 6;
const CLOEXEC = 1;

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;
/** x86 only. */
const MAP_32BIT = 0x40;
const PAGE = 4096;

/** Bytes of a CPU set: 1024 CPUs. */
const CPU_SET = 128;

/** Memory with a fixed address, for structures that a hot loop hands to the kernel. */
export interface FixedMemory {
  readonly address: Pointer;
  readonly buffer: ArrayBuffer;
  release(): void;
}

/**
 * One page, all zero, below 2^31 where the machine can do that: such an address is a small integer to V8, and one
 * that needs no box makes a test run 4 % faster.
 */
export function lowPage(): FixedMemory {
  const { koffi } = requireLibbpf();
  if (process.arch === 'x64') {
    const sys = syscalls();
    const address = sys.mmap(0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS | MAP_32BIT, -1, 0);
    if (address > 0) {
      const buffer = koffi.view(BigInt(address), PAGE);
      return { address, buffer, release: () => void sys.munmap(address, PAGE) };
    }
  }
  const bytes = new Uint8Array(PAGE);
  return { address: addressOf(bytes), buffer: bytes.buffer, release: () => {} };
}

let loaded: Syscalls | undefined;

/** @throws {EngineError} where koffi or libc are missing */
export function syscalls(): Syscalls {
  loaded ??= load();
  return loaded;
}

function load(): Syscalls {
  const { koffi } = requireLibbpf();
  const libc = koffi.load('libc.so.6');
  const six = Array.from({ length: 6 }, () => 'int64_t');
  const syscall = libc.func('syscall', 'int64_t', ['int64_t', ...six]) as (...args: number[]) => number;
  const mmap = libc.func('mmap', 'int64_t', ['int64_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const munmap = libc.func('munmap', 'int', ['int64_t', 'size_t']);
  const close = libc.func('close', 'int', ['int']);
  const getaffinity = libc.func('sched_getaffinity', 'int', ['int', 'size_t', 'void *']);
  const getcpu = libc.func('sched_getcpu', 'int', []) as () => number;
  const setaffinity = libc.func('sched_setaffinity', 'int', ['int', 'size_t', 'void *']);
  return {
    perfEventOpen: (attributes, pid, cpu, group, flags) =>
      syscall(PERF_EVENT_OPEN, attributes, pid, cpu, group, flags, 0),
    mmap: mmap as Syscalls['mmap'],
    munmap: munmap as Syscalls['munmap'],
    close: (fd) => void close(fd),
    mountDetached(type) {
      const name = new TextEncoder().encode(`${type}\0`);
      const context = syscall(FSOPEN, addressOf(name), CLOEXEC, 0, 0, 0, 0);
      if (context < 0) return -1;
      try {
        if (syscall(FSCONFIG, context, FSCONFIG_CMD_CREATE, 0, 0, 0, 0) < 0) return -1;
        return syscall(FSMOUNT, context, CLOEXEC, 0, 0, 0, 0);
      } finally {
        close(context);
      }
    },
    affinity() {
      const cpus = new Uint8Array(CPU_SET);
      getaffinity(0, cpus.length, cpus);
      return cpus;
    },
    currentCpu: () => Math.max(0, getcpu()),
    setAffinity(cpus) {
      if (setaffinity(0, cpus.length, cpus) === 0) return;
      throw new EngineError('environment', 'the CPU that the world asks for is not there, or not for us', {
        ofWorld: true,
      });
    },
  };
}
