/** Why a device cannot be captured, and what helps. */
import { EngineError } from '../../sim/engines/engine.ts';

/** @param reason as the kernel or libpcap states it */
export function captureError(device: string, reason: string, cause?: unknown): EngineError {
  const isMissing = /no such device/i.test(reason);
  return new EngineError('environment', `${device} cannot be captured: ${reason}`, {
    remedy: isMissing
      ? 'ip link shows the devices of this network namespace'
      : 'run as root (or with CAP_NET_RAW)',
    ...(cause === undefined ? {} : { cause }),
  });
}
