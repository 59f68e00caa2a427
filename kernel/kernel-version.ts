/** The version of the running kernel: for messages, and for what cannot be found out by trying. */
import { release } from 'node:os';

export type KernelVersion = `${number}.${number}`;

/** @param running as uname(2) has it: `6.1.0-50-amd64` */
export function kernelIsOlderThan(version: KernelVersion, running: string = release()): boolean {
  const [wantedMajor, wantedMinor] = numbers(version);
  const [major, minor] = numbers(running);
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}

function numbers(version: string): readonly [major: number, minor: number] {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return [major, minor];
}
