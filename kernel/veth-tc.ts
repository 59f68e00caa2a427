/**
 * What came of a frame that had its turn at TC: the junction has written down what the function said, and the
 * observers show where the frame went. Both have to agree, or nothing is booked.
 *
 * Frames that come in pass the device's packet socket before TC: what that sees is stepped over.
 */
import { DELIVERY, deliveryOf } from '../sim/runtime/delivery.ts';
import type { Junction } from './junction.ts';
import { type Flight, innerTap, outerTap } from './veth-flight.ts';
import { FROM_JUNCTION, NO_TAP } from './veth-window.ts';
import { cameOut, ended, leftByXdp } from './veth-xdp.ts';

/** More than the junction can show. */
const TOO_LONG = 4096;

/** Is it known what came of the frame? Then it is booked. */
export function settleAtTc(flight: Flight): boolean {
  const junction = flight.junction!;
  if (junction.hasRun) return judged(flight, junction);
  if (flight.course.xdp === undefined) return false;
  // XDP before it may have seen to the frame. What TC does, it does after it has run: so that is asked again.
  if (!leftByXdp(flight)) return !junction.hasRun && ended(flight);
  return !junction.hasRun && cameOut(flight);
}

function judged(flight: Flight, junction: Junction): boolean {
  const { port, window, course, visible } = flight;
  const inwards = course.hook === 'tc-ingress';
  switch (deliveryOf(course.hook, junction.verdict)) {
    case DELIVERY.dropped:
      if (inwards) window.skip(innerTap(flight, port));
      window.judged(junction, NO_TAP, 0);
      return true;
    case DELIVERY.redirected:
      return redirected(flight, junction, inwards);
  }
  if (inwards) {
    // On its way to the stack.
    if (port.innerCount === port.seen.inner) return false;
    port.seen.inner += 1;
    window.skip(innerTap(flight, port));
    if (junction.length > TOO_LONG) window.unseen(`the frame became longer than ${TOO_LONG} bytes`);
    else window.judged(junction, FROM_JUNCTION, 0);
    return true;
  }
  if (port.outerCount === port.seen.outer) return false;
  port.seen.outer += 1;
  // No packet socket sees a frame with a cut-off tag, but it has left, and the junction has seen it.
  window.judged(junction, visible ? outerTap(flight, port) : FROM_JUNCTION, 0);
  return true;
}

/** The frame leaves by a device, or comes in by one (`BPF_F_INGRESS`): whichever, it can be the same device again. */
function redirected(flight: Flight, junction: Junction, inwards: boolean): boolean {
  const { ports, port, window, visible } = flight;
  for (let index = 0; index < ports.length; index++) {
    const target = ports[index]!;
    const left = target.outerCount !== target.seen.outer;
    if (!left && target.innerCount === target.seen.inner) continue;
    if (inwards) window.skip(innerTap(flight, port));
    if (left) {
      target.seen.outer += 1;
      // A packet socket sees what its device sends, but for what it has sent itself.
      if (inwards || target !== port) window.skip(innerTap(flight, target));
    } else {
      target.seen.inner += 1;
    }
    const tap = left ? outerTap(flight, target) : innerTap(flight, target);
    window.judged(junction, visible ? tap : FROM_JUNCTION, target.ifindex);
    return true;
  }
  return false;
}
