/** Worker processes must not outlive the process that started them, not even in an endless loop. */
import { libc } from '../libc.ts';

/** include/uapi/linux/prctl.h */
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/**
 * Has the kernel end this process when its parent ends. Does nothing where that cannot be arranged: there a process
 * still ends when it next looks at its messages.
 */
export function dieWithParent(): void {
  if (process.platform !== 'linux') return;
  try {
    libc().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  } catch {
    return;
  }
  // The parent may have ended before the call.
  if (process.connected === false) process.exit();
}
