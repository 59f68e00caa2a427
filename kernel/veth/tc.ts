/**
 * What came of a frame that had its turn at TC: the dispatcher has written down what the function said, and the
 * observers show where the frame went. Both have to agree, or nothing is booked.
 *
 * Frames that come in pass the device's packet socket before TC: what that sees is stepped over.
 */
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { Dispatcher } from './dispatcher.ts';
import { innerTap, outerTap, type PendingFrame } from './pending-frame.ts';
import { FROM_DISPATCHER, NO_TAP } from './window.ts';
import { cameOut, ended, leftByXdp } from './xdp.ts';

/** More than the dispatcher can show. */
const TOO_LONG = 4096;

/** Is it known what came of the frame? Then it is booked. */
export function settleAtTc(pending: PendingFrame): boolean {
  const dispatcher = pending.dispatcher!;
  if (dispatcher.hasRun) return judged(pending, dispatcher);
  if (pending.path.xdp === undefined) return false;
  // XDP before it may have seen to the frame. What TC does, it does after it has run: so that is asked again.
  if (!leftByXdp(pending)) return !dispatcher.hasRun && ended(pending);
  return !dispatcher.hasRun && cameOut(pending);
}

function judged(pending: PendingFrame, dispatcher: Dispatcher): boolean {
  const { port, window, path, visible } = pending;
  const inwards = path.hook === 'tc-ingress';
  switch (deliveryOf(path.hook, dispatcher.verdict)) {
    case DELIVERY.dropped:
      if (inwards) window.skip(innerTap(pending, port));
      window.judged(dispatcher, NO_TAP, 0);
      return true;
    case DELIVERY.redirected:
      return redirected(pending, dispatcher, inwards);
  }
  if (inwards) {
    // On its way to the stack.
    if (port.innerCount === port.seen.inner) return false;
    port.seen.inner += 1;
    window.skip(innerTap(pending, port));
    if (dispatcher.length > TOO_LONG) window.unseen(`the frame became longer than ${TOO_LONG} bytes`);
    else window.judged(dispatcher, FROM_DISPATCHER, 0);
    return true;
  }
  if (port.outerCount === port.seen.outer) return false;
  port.seen.outer += 1;
  // No packet socket sees a frame with a cut-off tag, but it has left, and the dispatcher has seen it.
  window.judged(dispatcher, visible ? outerTap(pending, port) : FROM_DISPATCHER, 0);
  return true;
}

/** The frame leaves by a device, or comes in by one (`BPF_F_INGRESS`): whichever, it can be the same device again. */
function redirected(pending: PendingFrame, dispatcher: Dispatcher, inwards: boolean): boolean {
  const { ports, port, window, visible } = pending;
  for (let index = 0; index < ports.length; index++) {
    const target = ports[index]!;
    const left = target.outerCount !== target.seen.outer;
    if (!left && target.innerCount === target.seen.inner) continue;
    if (inwards) window.skip(innerTap(pending, port));
    if (left) {
      target.seen.outer += 1;
      // A packet socket sees what its device sends, but for what it has sent itself.
      if (inwards || target !== port) window.skip(innerTap(pending, target));
    } else {
      target.seen.inner += 1;
    }
    const tap = left ? outerTap(pending, target) : innerTap(pending, target);
    window.judged(dispatcher, visible ? tap : FROM_DISPATCHER, target.ifindex);
    return true;
  }
  return false;
}
