/** What came of a frame that ran through XDP, found out from the observers and the driver's statistics. */
import {
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from '../../sim/runtime/actions.ts';
import { CUT_OFF, innerTap, NOT_SENT, outerTap, type PendingFrame } from './pending-frame.ts';
import type { Port } from './port.ts';

/** Is it known what came of the frame? Then it is booked. */
export function settleAtXdp(pending: PendingFrame): boolean {
  return cameOut(pending) || ended(pending);
}

/** Has the frame come out at a peer, to which XDP has sent it? */
export function leftByXdp({ ports, port, path }: PendingFrame): boolean {
  if (port.outerCount !== port.seen.outer) return true;
  if (!path.redirects) return false;
  for (const target of ports) if (target.outerCount !== target.seen.outer) return true;
  return false;
}

/** Has the frame come to one of the observers? Then it is booked. */
export function cameOut(pending: PendingFrame): boolean {
  const { port, path, window, visible } = pending;
  const { redirects } = path;
  const outer = port.outerCount !== port.seen.outer;
  if (!outer && port.innerCount === port.seen.inner) return redirects && cameOutElsewhere(pending);
  // It may have been redirected to the very device that it came in by, or to a CPU: only the driver knows.
  const doubtful = outer ? redirects : path.redirectsToCpus;
  if (doubtful && !hasProcessed(port)) return false;
  const redirected = doubtful && port.statistic('redirected') !== port.seen.redirected;
  if (redirected) port.seen.redirected += 1;
  else if (outer) port.seen.sentBack += 1;
  if (outer) port.seen.outer += 1;
  else port.seen.inner += 1;
  if (!visible) window.unseen(CUT_OFF);
  else if (!outer) window.departed(redirected ? XDP_REDIRECT : XDP_PASS, innerTap(pending, port), 0);
  else if (redirected) depart(pending, XDP_REDIRECT, port, port.ifindex);
  else depart(pending, XDP_TX, port, 0);
  return true;
}

function cameOutElsewhere(pending: PendingFrame): boolean {
  const { ports, port, window, visible } = pending;
  for (let index = 0; index < ports.length; index++) {
    const target = ports[index]!;
    if (target === port || target.outerCount === target.seen.outer) continue;
    port.seen.redirected += 1;
    target.seen.outer += 1;
    if (visible) depart(pending, XDP_REDIRECT, target, target.ifindex);
    else window.unseen(CUT_OFF);
    return true;
  }
  return false;
}

/** Books a frame that left by a port. Of an entry that goes on to TC, TC's words say it. */
function depart(pending: PendingFrame, action: number, port: Port, redirect: number): void {
  const tap = outerTap(pending, port);
  if (pending.path.hook === 'xdp') pending.window.departed(action, tap, redirect);
  else pending.window.departed(TC_ACT_REDIRECT, tap, redirect);
}

/** Does the driver say that the frame has come to its end? Then that is booked. */
export function ended({ ports, port, path, window }: PendingFrame): boolean {
  port.readStatistics();
  const { seen } = port;
  if (port.statistic('gone') !== seen.gone) {
    seen.gone += 1;
    window.gone(path.hook === 'xdp' ? XDP_DROP : TC_ACT_SHOT);
    return true;
  }
  if (port.statistic('failed') !== seen.failed) {
    // A frame that the peer did not take counts as sent back as well.
    if (port.statistic('sentBack') !== seen.sentBack) seen.sentBack += 1;
    seen.failed += 1;
    window.unseen(NOT_SENT);
    return true;
  }
  if (path.redirects && port.statistic('redirected') !== seen.redirected && targetFailed(ports)) {
    seen.redirected += 1;
    window.unseen(NOT_SENT);
    return true;
  }
  return false;
}

/** The driver counts at the end of a poll: only then do its statistics speak of this frame. */
function hasProcessed(port: Port): boolean {
  port.readStatistics();
  return port.statistic('processed') === port.seen.processed;
}

/** Has a device failed to send a frame that was redirected to it? */
function targetFailed(ports: readonly Port[]): boolean {
  for (const target of ports) {
    target.readStatistics();
    if (target.statistic('unsent') === target.seen.unsent) continue;
    target.seen.unsent += 1;
    return true;
  }
  return false;
}
