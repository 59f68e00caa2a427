/** What a call sends, or asks to be sent, at once: copies of the frame, events, signals, timers. */
import { DYNPTR, readDynptr } from '../helpers/dynptr.ts';
import type { Machine } from '../machine.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { LENGTH_MASK, RINGBUF_HEADER, RingBufferMap } from '../maps/ring-buffer-map.ts';
import { STACK_BASE, STACK_LIMIT } from '../memory.ts';
import { bytesAt, mapIn, NOTHING } from './call-arguments.ts';
import { HELPER } from './outside-helpers.ts';
import { KIND } from './provenance.ts';
import type { CodePlace } from './run-path.ts';
import type { State } from './state.ts';

const BPF_F_CURRENT_CPU = 0xffff_ffff;

/** Something that leaves the program at once, whatever becomes of the packet. */
export interface Sent {
  /** Who gets it. What goes to different ones has no order that anybody could see. */
  readonly to: string;
  /** What it is, without its bytes: `to device 3, flags 0`. */
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly place: CodePlace;
}

/** What a helper sends, or asks to be sent: whether it arrives is up to the devices and readers that there are. */
export function sentBy(state: State, number: number): Omit<Sent, 'place'> | undefined {
  const { lo, machine } = state;
  switch (number) {
    case HELPER.cloneRedirect:
      return {
        to: 'copies sent',
        what: `to device ${lo[2]! >>> 0}, flags ${lo[3]! >>> 0}`,
        bytes: frameOf(machine),
      };
    case HELPER.perfEventOutput:
      return perfEvent(state);
    case HELPER.ringbufOutput:
      return event(mapIn(state, 1), bytesAt(machine, lo[2]!, lo[3]!), lo[4]!);
    case HELPER.ringbufSubmit:
      return sampleEvent(machine, lo[1]!, lo[2]!);
    case HELPER.ringbufSubmitDynptr: {
      const dynptr = isStack(lo[1]!) ? readDynptr(machine, lo[1]!) : undefined;
      return dynptr?.kind === DYNPTR.sample ? sampleEvent(machine, dynptr.address, lo[2]!) : undefined;
    }
    case HELPER.sendSignal:
    case HELPER.sendSignalThread: {
      const whom = number === HELPER.sendSignal ? 'process' : 'thread';
      return { to: 'signals sent', what: `${lo[1]! >>> 0} to the ${whom}`, bytes: NOTHING };
    }
    case HELPER.timerStart:
      return timer(state);
    default:
      return undefined;
  }
}

const WAKEUPS = ['', ', without waking the reader', ', waking the reader'] as const;

function event(map: LiveMap | undefined, bytes: Uint8Array, flags: number): Omit<Sent, 'place'> | undefined {
  if (map === undefined) return undefined;
  return { to: `events in map ${map.name}`, what: `an event${WAKEUPS[flags] ?? `, flags ${flags}`}`, bytes };
}

/** A sample of a ring, the size of which stands in front of it. */
function sampleEvent(machine: Machine, sample: number, flags: number): Omit<Sent, 'place'> | undefined {
  for (const map of machine.maps) {
    if (!(map instanceof RingBufferMap) || sample < map.storage || sample >= map.storage + map.size) continue;
    const size = machine.memory.u32(sample - RINGBUF_HEADER) & LENGTH_MASK;
    return event(map, bytesAt(machine, sample, size), flags);
  }
  return undefined;
}

/** With the packet's first bytes, where the flags ask for them. */
function perfEvent(state: State): Omit<Sent, 'place'> | undefined {
  const { lo, hi, machine } = state;
  const map = mapIn(state, 2);
  if (map === undefined) return undefined;
  const index = lo[3]! >>> 0 === BPF_F_CURRENT_CPU ? machine.cpu : lo[3]! >>> 0;
  const own = bytesAt(machine, lo[4]!, lo[5]!);
  const frame = hi[3] === 0 ? NOTHING : frameOf(machine).slice(0, hi[3]! >>> 0);
  const bytes = new Uint8Array(own.length + frame.length);
  bytes.set(own);
  bytes.set(frame, own.length);
  return {
    to: `events in map ${map.name}`,
    what: `an event for CPU ${index}${frame.length === 0 ? '' : ` with ${frame.length} bytes of the packet`}`,
    bytes,
  };
}

function timer({ lo, hi, tag, provenance, machine }: State): Omit<Sent, 'place'> {
  const of = tag[1]! > 0 && provenance.kind[tag[1]!] === KIND.value ? provenance.detail[tag[1]!] : undefined;
  const time = (BigInt(hi[2]! >>> 0) << 32n) | BigInt(lo[2]! >>> 0);
  return {
    to: `timers in map ${of === undefined ? '?' : machine.maps[of]!.name}`,
    what: `starts in ${time} ns, flags ${lo[3]! >>> 0}`,
    bytes: NOTHING,
  };
}

function frameOf({ packet }: Machine): Uint8Array {
  const { dataMeta, data, frameEnd } = packet;
  const all = new Uint8Array(frameEnd - dataMeta);
  packet.copyOut(all, 0);
  return all.subarray(data - dataMeta);
}

function isStack(at: number): boolean {
  return at >= STACK_BASE && at < STACK_LIMIT;
}
