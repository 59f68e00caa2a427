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

type Thing = 'sys' | 'bpffs and tracefs' | 'a writable /run' | 'a writable /proc/sys' | 'ip';

export const WITHOUT: Readonly<Record<Thing, readonly string[]>> = {
  /** As in a chroot: no CPUs to count, no type information, no tracefs. */
  sys: inMounts('umount -lR /sys'),
  /** As on a machine where nobody mounted them. */
  'bpffs and tracefs': inMounts(
    'for path in /sys/fs/bpf /sys/kernel/tracing /sys/kernel/debug; do umount -lR $path 2>/dev/null || true; done',
  ),
  'a writable /run': inMounts(readOnly('/run')),
  /** As in a container. */
  'a writable /proc/sys': inMounts(readOnly('/proc/sys')),
  ip: ['env', 'PATH=/nonexistent'],
};

/** With a bpffs at /sys/fs/bpf, whether the machine has one or not. */
export const WITH_BPFFS: readonly string[] = inMounts('mount -t bpf bpf /sys/fs/bpf');
