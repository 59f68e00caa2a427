/** The version of the running kernel: for messages, and for what cannot be found out by trying. */
import { release } from 'node:os';

import { isOlder, type KernelVersion } from '../sim/ebpf/kernel-versions.ts';

/** @param running as uname(2) has it: `6.1.0-50-amd64` */
export function kernelIsOlderThan(version: KernelVersion, running: string = release()): boolean {
  return isOlder(versionOf(running), version);
}

/** `6.1` of `6.1.0-50-amd64`: without what distributions number by themselves. */
export function versionOf(running: string = release()): KernelVersion {
  const [major = 0, minor = 0] = running.split('.').map((part) => Number.parseInt(part, 10));
  return `${major}.${minor}`;
}
