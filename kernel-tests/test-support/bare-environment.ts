/** Surroundings in which something is missing: each is a command line that starts another command there. */

const inMounts = (script: string): readonly string[] => [
  'unshare',
  '--mount',
  'sh',
  '-c',
  `${script} && exec "$@"`,
  'sh',
];

const readOnly = (path: string): string => `mount --bind ${path} ${path} && mount -o remount,bind,ro ${path}`;

/** With these capabilities and no others, still as user 0. */
export function withCapabilities(...names: readonly string[]): readonly string[] {
  const kept = names.map((name) => `+${name.toLowerCase().slice('CAP_'.length)}`);
  return ['setpriv', `--bounding-set=${['-all', ...kept].join(',')}`];
}

type Thing = 'sys' | 'a writable /run' | 'a writable /proc/sys' | 'ip';

export const WITHOUT: Readonly<Record<Thing, readonly string[]>> = {
  /** As in a chroot: no CPUs to count, no type information, no tracefs. */
  sys: inMounts('umount -lR /sys'),
  'a writable /run': inMounts(readOnly('/run')),
  /** As in a container. */
  'a writable /proc/sys': inMounts(readOnly('/proc/sys')),
  ip: ['env', 'PATH=/nonexistent'],
};
