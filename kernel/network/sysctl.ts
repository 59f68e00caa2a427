/**
 * Network settings: those of the namespace that the calling thread is in. Containers mount /proc/sys read-only; then a
 * procfs of our own is used, which is mounted nowhere but behind a descriptor.
 */
import { writeFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { syscalls } from '../testrun/syscalls.ts';

const REFUSED: ReadonlySet<string | undefined> = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Undefined until it is needed; null where it cannot be had. */
let own: string | null | undefined;

/**
 * Writes `/proc/sys/net/<key>`.
 * @throws {EngineError} `environment`, where the setting is not there or cannot be written; `cause` is the error of
 *   the file system
 */
export function writeNetworkSetting(key: string, value: string | number): void {
  try {
    writeFileSync(`${own ?? '/proc'}/sys/net/${key}`, String(value));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (REFUSED.has(code) && own === undefined) {
      own = mountOwn();
      if (own !== null) {
        writeNetworkSetting(key, value);
        return;
      }
    }
    throw failure(key, code, cause);
  }
}

function mountOwn(): string | null {
  const mount = syscalls().mountDetached('proc');
  return mount < 0 ? null : `/proc/thread-self/fd/${mount}`;
}

function failure(key: string, code: string | undefined, cause: unknown): EngineError {
  const name = `net.${key.replaceAll('/', '.')}`;
  if (code !== 'ENOENT') {
    return new EngineError('environment', `the network setting ${name} cannot be written (${code})`, {
      remedy: 'make /proc/sys writable: in a container, --privileged',
      cause,
    });
  }
  return new EngineError('environment', `there is no network setting ${name}`, {
    remedy: key.startsWith('ipv6/') ? 'use a kernel with IPv6 (no ipv6.disable=1)' : 'mount /proc',
    cause,
  });
}
