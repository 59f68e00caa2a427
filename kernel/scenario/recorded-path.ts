/** From the recorder's notes to paths: a veth is a wire, so what comes in at one end has gone out at the other. */
import type { NetworkEvent } from '../../sim/network/network.ts';
import type { StepRun } from '../../sim/network/run.ts';
import { pathOf } from '../../sim/network/run.ts';
import type { Place } from '../../sim/network/scenario.ts';
import { actionName, type Hook } from '../../sim/runtime/actions.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import type { FrameRecord } from './recorder.ts';

/** A device by its number, which is its index in the list. */
export interface RecordedDevice extends Place {
  /** Number of the device at the other end of the wire. */
  readonly peer: number;
  /** What is on its hooks. */
  readonly functions: Readonly<Record<Hook, string | undefined>>;
}

const HOOKS: Readonly<Partial<Record<FrameRecord['kind'], Hook>>> = {
  'xdp-verdict': 'xdp',
  'ingress-verdict': 'tc-ingress',
  'egress-verdict': 'tc-egress',
};

/** @param records of one step, in the order in which they were written */
export function pathOfRecords(records: readonly FrameRecord[], devices: readonly RecordedDevice[]): StepRun {
  const events: NetworkEvent[] = [];
  /** Marks of frames that a device's stack has sent and that have not come out at the other end yet. */
  const marks = devices.map((): number[] => []);
  for (const { device: number, kind, verdict, bytes, mark } of records) {
    const { peer, functions, namespace, device } = devices[number]!;
    const place = { namespace, device };
    const hook = HOOKS[kind];
    if (hook !== undefined) {
      const name = functions[hook] ?? '';
      events.push({
        kind: 'program',
        ...place,
        hook,
        function: name,
        action: actionName(hook, verdict),
        trace: [],
      });
      const goesOn = deliveryOf(hook, verdict) === DELIVERY.passed;
      if (hook === 'tc-egress' && !goesOn) marks[number]!.pop();
    } else if (kind === 'sent') {
      marks[number]!.push(mark);
    } else if (kind === 'up') {
      events.push({ kind: 'hop', ...place, direction: 'up', bytes, mark: 0 });
    } else {
      const { namespace, device } = devices[peer]!;
      // Frames that XDP has sent have been at no TC egress.
      const sentMark = marks[peer]!.shift() ?? 0;
      events.push({ kind: 'hop', namespace, device, direction: 'out', bytes, mark: sentMark });
      events.push({ kind: 'hop', ...place, direction: 'in', bytes, mark: 0 });
    }
  }
  return { path: pathOf(events), events };
}
