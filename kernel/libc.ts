/** The system calls that Node does not offer, through koffi. Loaded on first use: importing this is safe anywhere. */
import { EngineError } from '../sim/engines/engine.ts';
import { loadKoffi } from './koffi.ts';

export const CLONE_NEWNET = 0x4000_0000;
export const MNT_DETACH = 2;
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;

/** `struct`-free prototypes only: sizes and layouts stay with those who know them. */
export interface Libc {
  setns(fd: number, type: number): number;
  /** Moves the calling thread into a new namespace of each of these types. */
  unshare(types: number): number;
  umount2(path: string, flags: number): number;
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  close(fd: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  /** @param bytes an address */
  send(fd: number, bytes: number, length: number, flags: number): number;
  sendto(
    fd: number,
    bytes: number,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  recv(fd: number, bytes: Uint8Array, length: number, flags: number): number;
  /** @param message the address of a `struct msghdr` */
  recvmsg(fd: number, message: number, flags: number): number;
  /** 0 for no such device in the calling thread's network namespace. */
  if_nametoindex(name: string): number;
  /** flock(2): without LOCK_NB, waits until the lock is free. It ends with the descriptor, so with the process at the latest. */
  flock(fd: number, operation: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  /** The address of the mapping; `MAP_FAILED` is 2^64 − 1. */
  mmap(
    address: bigint | null,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): bigint;
  munmap(address: bigint, length: number): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  memfd_create(name: string, flags: number): number;
  /** @returns an errno, as all of these do; `pid` is filled in */
  posix_spawnp(
    pid: [number],
    file: string,
    actions: Uint8Array,
    attributes: Uint8Array,
    argv: readonly (string | null)[],
    environment: readonly (string | null)[],
  ): number;
  posix_spawn_file_actions_init(actions: Uint8Array): number;
  posix_spawn_file_actions_adddup2(actions: Uint8Array, from: number, to: number): number;
  posix_spawn_file_actions_destroy(actions: Uint8Array): number;
  posix_spawnattr_init(attributes: Uint8Array): number;
  posix_spawnattr_setflags(attributes: Uint8Array, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Uint8Array, signals: Uint8Array): number;
  posix_spawnattr_setsigmask(attributes: Uint8Array, signals: Uint8Array): number;
  /** `status` is filled in. */
  waitpid(pid: number, status: [number], options: number): number;
}

let loaded: Libc | undefined;

/** @throws {EngineError} where there is no libc.so.6 (not on Linux with glibc), or no koffi to call it */
export function libc(): Libc {
  if (loaded !== undefined) return loaded;
  const koffi = loadKoffi();
  if (koffi === undefined) {
    throw new EngineError('environment', 'koffi cannot be loaded', { remedy: 'npm install koffi' });
  }
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libc.so.6');
  } catch (cause) {
    throw new EngineError('environment', 'the C library cannot be loaded', {
      remedy: 'the kernel engines need Linux with glibc',
      cause,
    });
  }
  loaded = {
    setns: library.func('int setns(int fd, int type)'),
    unshare: library.func('int unshare(int flags)'),
    umount2: library.func('int umount2(const char *path, int flags)'),
    dup: library.func('int dup(int fd)'),
    dup2: library.func('int dup2(int from, int to)'),
    close: library.func('int close(int fd)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    bind: library.func('int bind(int fd, const void *address, uint32_t length)'),
    connect: library.func('int connect(int fd, const void *address, uint32_t length)'),
    listen: library.func('int listen(int fd, int backlog)'),
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int name, const void *value, uint32_t length)',
    ),
    send: library.func('int64_t send(int fd, uintptr_t bytes, size_t length, int flags)'),
    sendto: library.func(
      'int64_t sendto(int fd, uintptr_t bytes, size_t length, int flags, const void *address, uint32_t size)',
    ),
    recv: library.func('int64_t recv(int fd, void *bytes, size_t length, int flags)'),
    recvmsg: library.func('int64_t recvmsg(int fd, uintptr_t message, int flags)'),
    if_nametoindex: library.func('unsigned int if_nametoindex(const char *name)'),
    flock: library.func('int flock(int fd, int operation)'),
    ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
    mmap: library.func(
      'uintptr_t mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    ),
    munmap: library.func('int munmap(uintptr_t address, size_t length)'),
    prctl: library.func(
      'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
    ),
    memfd_create: library.func('int memfd_create(const char *name, unsigned int flags)'),
    posix_spawnp: library.func(
      'int posix_spawnp(_Out_ int *pid, const char *file, void *actions, void *attributes, const char **argv, const char **environment)',
    ),
    posix_spawn_file_actions_init: library.func('int posix_spawn_file_actions_init(void *actions)'),
    posix_spawn_file_actions_adddup2: library.func(
      'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
    ),
    posix_spawn_file_actions_destroy: library.func('int posix_spawn_file_actions_destroy(void *actions)'),
    posix_spawnattr_init: library.func('int posix_spawnattr_init(void *attributes)'),
    posix_spawnattr_setflags: library.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
    posix_spawnattr_setsigdefault: library.func(
      'int posix_spawnattr_setsigdefault(void *attributes, const void *signals)',
    ),
    posix_spawnattr_setsigmask: library.func(
      'int posix_spawnattr_setsigmask(void *attributes, const void *signals)',
    ),
    waitpid: library.func('int waitpid(int pid, _Out_ int *status, int options)'),
  };
  return loaded;
}

/** `EPERM` and the like for the last failed call of this thread. */
export function lastErrorName(): string {
  const number = loadKoffi()?.errno() ?? 0;
  const named = Object.entries(loadKoffi()?.os.errno ?? {}).find(([, value]) => value === number);
  return named?.[0] ?? `errno ${number}`;
}
