/** `--as-kernel`: which kernel model and machine are to be. */
import { isOlder, type KernelVersion, NEWEST_KERNEL, OLDEST_KERNEL } from '../../sim/ebpf/kernel-versions.ts';
import { inputFailure } from '../failure.ts';

export const AS_KERNEL_HELP: string =
  `let model and machine do what Linux <version> does, ${OLDEST_KERNEL} to ${NEWEST_KERNEL} (docs/kernels.md); ` +
  'the real kernel takes part only if it is that version';

/** `6.1`, `v6.1`, or a release like `6.1.90-amd64`, whose patches make no difference here. */
export function parseKernelVersion(text: string): KernelVersion {
  const match = /^v?(\d{1,3})\.(\d{1,3})(?:[.-][\w.+~-]*)?$/.exec(text);
  if (match === null) {
    throw inputFailure(`--as-kernel must be a version of Linux, like 6.1, not “${text}”`);
  }
  const version: KernelVersion = `${Number(match[1])}.${Number(match[2])}`;
  if (isOlder(version, OLDEST_KERNEL) || isOlder(NEWEST_KERNEL, version)) {
    throw inputFailure(`--as-kernel knows Linux ${OLDEST_KERNEL} to ${NEWEST_KERNEL}, not ${version}`);
  }
  return version;
}
