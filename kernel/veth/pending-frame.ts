/** One frame of a live session, from when it is sent until it is known what came of it. */
import type { Dispatcher } from './dispatcher.ts';
import type { FramePath } from './frame-path.ts';
import type { Port } from './port.ts';
import type { Window } from './window.ts';

/** Why nothing can be seen of a frame that has run. */
export const CUT_OFF = 'the kernel frees a frame with a cut-off VLAN tag before any packet socket sees it';
export const NOT_SENT = 'the kernel could not send the frame where the program wanted it';

/** One object serves all frames. */
export interface PendingFrame {
  readonly ports: readonly Port[];
  readonly window: Window;
  readonly dispatcher: Dispatcher | undefined;
  path: FramePath;
  port: Port;
  /** Would a packet socket see the frame, wherever it comes out? */
  visible: boolean;
}

/** The numbers of a port's taps, in the window's list. */
export function outerTap(pending: PendingFrame, port: Port): number {
  return pending.ports.indexOf(port) * 2;
}

export function innerTap(pending: PendingFrame, port: Port): number {
  return pending.ports.indexOf(port) * 2 + 1;
}
