/**
 * Timers in map values (kernel/bpf/helpers.c, `bpf_timer_init` and its neighbours). A callback runs when time has passed,
 * and in a test none does between one packet and the next: an armed timer stays armed. The kernel's engines arm timers for a
 * time that no run lasts (`kernel/pin/substitutes.ts`).
 */
import { EBUSY, EINVAL } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { TIMER, type Timers } from '../maps/timers.ts';
import { type Helper, type HelperRules, NO_EFFECTS } from './helper.ts';

/** What may hold timers. */
const TIMER_MAPS: Helper['maps'] = ['ARRAY', 'HASH', 'LRU_HASH'];

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
/** BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN. */
const START_FLAGS = 3;

/** The timers of the map whose value this one is in. */
function timersAt(machine: Machine, timer: number): Timers | undefined {
  return machine.maps.find(({ timers }) => timers?.has(timer) === true)?.timers;
}

function init(machine: Machine, timer: number, map: number, clock: number): number {
  if (machine.high(2) !== 0) return -EINVAL;
  if (clock !== CLOCK_REALTIME && clock !== CLOCK_MONOTONIC && clock !== CLOCK_BOOTTIME) return -EINVAL;
  const { timers } = machine.mapAt(map);
  if (timers === undefined) return -EINVAL;
  if (timers.has(timer)) return -EBUSY;
  timers.set(timer, TIMER.made);
  return 0;
}

function setCallback(machine: Machine, timer: number): number {
  const timers = timersAt(machine, timer);
  if (timers === undefined) return -EINVAL;
  if (timers.get(timer) === TIMER.made) timers.set(timer, TIMER.ready);
  // One that was cancelled with its callback, and is set anew, is not armed.
  return 0;
}

function start(machine: Machine, timer: number, flags: number): number {
  if ((flags & ~START_FLAGS) !== 0 || machine.high(2) !== 0) return -EINVAL;
  const timers = timersAt(machine, timer);
  if (timers === undefined || timers.get(timer) === TIMER.made) return -EINVAL;
  timers.set(timer, TIMER.armed);
  return 0;
}

/** @returns 1 where it was armed, 0 where it was not; it has no callback afterwards */
function cancel(machine: Machine, timer: number): number {
  const timers = timersAt(machine, timer);
  if (timers === undefined) return -EINVAL;
  const wasArmed = timers.get(timer) === TIMER.armed;
  timers.set(timer, TIMER.made);
  return wasArmed ? 1 : 0;
}

const GPL: HelperRules = { hooks: 'both', license: 'gpl', packetAccess: false };
const NOTE = 'as in the kernel, but no time passes: callbacks do not run, nor do they in the kernel engines';

export const TIMER_HELPERS: readonly Helper[] = [
  {
    number: 169,
    name: 'bpf_timer_init',
    arguments: ['timer', 'map', 'anything'],
    returns: 'int',
    maps: TIMER_MAPS,
    note: NOTE,
    rules: GPL,
    effects: NO_EFFECTS,
    symbolic: 'unsupported',
    run: init,
  },
  {
    number: 170,
    name: 'bpf_timer_set_callback',
    arguments: ['timer', 'function'],
    returns: 'int',
    note: NOTE,
    rules: GPL,
    effects: NO_EFFECTS,
    symbolic: 'unsupported',
    run: setCallback,
  },
  {
    number: 171,
    name: 'bpf_timer_start',
    arguments: ['timer', 'anything', 'anything'],
    returns: 'int',
    note: NOTE,
    rules: GPL,
    effects: NO_EFFECTS,
    symbolic: 'unsupported',
    run: (machine, timer, _nanoseconds, flags) => start(machine, timer, flags),
  },
  {
    number: 172,
    name: 'bpf_timer_cancel',
    arguments: ['timer'],
    returns: 'int',
    note: NOTE,
    rules: GPL,
    effects: NO_EFFECTS,
    symbolic: 'unsupported',
    run: cancel,
  },
];
