/** Devices under which `bpf_check_mtu` answers as a path wants it. */

import { ETHERNET_HEADER } from '../../sim/ebpf/packet-area.ts';
import type { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { LOOPBACK } from '../../sim/runtime/route-entry.ts';
import type { World } from '../../sim/runtime/world.ts';
import {
  FITS,
  fits,
  mtuBelow,
  mtuFor,
  NO_DEVICE,
  SHORTEST_TOO_LONG,
  TOO_LONG,
  withMtu,
  withoutDevice,
} from '../mtu-world.ts';

/** Devices that there are. */
const DEVICES = [2, 3] as const;

/** Conditions that a witness should have, each list with the best one first: the loopback device takes every frame. */
export function mtuPreferences(inputs: Inputs, { pool }: PathState, answer: Answer): Term[][] {
  const {
    result,
    read: [asked],
    arguments: [, named],
  } = answer;
  if (result === undefined || asked === undefined) return [];
  const equals = (term: Term, value: number | bigint): Term =>
    pool.equal(term, pool.constant(term.width, value));
  const isAnswered = pool.not(pool.lessSigned(result, pool.constant(result.width, 0)));
  const ifindex = pool.extract(named!, 0, 32);
  const comesByOther = (device: number): Term =>
    pool.all([equals(inputs.ingressIfindex, device), pool.not(equals(ifindex, device))]);
  return [
    [equals(inputs.ingressIfindex, DEVICES[0])],
    [equals(result, FITS), equals(result, TOO_LONG), equals(result, BigInt.asUintN(result.width, NO_DEVICE))],
    // A frame comes by a device that is there, whichever is missing.
    DEVICES.map((device) => pool.any([isAnswered, comesByOther(device)])),
    [pool.not(pool.less(inputs.length, pool.constant(16, SHORTEST_TOO_LONG)))],
  ];
}

/** The world with a device of an MTU, as far as one is needed for the answer. */
export function mtuWorld(world: World, inputs: Inputs, answer: Answer, evaluator: Evaluator): World {
  const {
    result,
    read,
    written,
    arguments: [, named, , difference],
  } = answer;
  if (result === undefined) return world;
  const word = (bytes: readonly Term[] | undefined): number =>
    (bytes ?? []).reduce((sum, byte, at) => sum + Number(evaluator.value(byte)) * 2 ** (8 * at), 0);
  const low = (term: Term): number => Number(BigInt.asIntN(32, evaluator.value(term)));
  const asked = word(read[0]);
  const frame = Number(evaluator.value(inputs.length));
  const length = (asked === 0 ? frame : asked + ETHERNET_HEADER) + low(difference!);
  const answered = BigInt.asIntN(32, evaluator.value(result));
  const isTooLong = answered === TOO_LONG;
  const ifindex = low(named!) === 0 ? Number(evaluator.value(inputs.ingressIfindex)) : low(named!);
  if (ifindex === LOOPBACK.ifindex) return world;
  const { maps } = inputs.machine.object;
  if (answered === NO_DEVICE) return withoutDevice(world, maps, ifindex) ?? world;
  // What the path wants to be told counts, where it answers so.
  const told = word(written[0]);
  if (fits(length, told) !== isTooLong) {
    const asTold = withMtu(world, maps, ifindex, told);
    if (asTold !== undefined) return asTold;
  }
  const mtu = isTooLong ? mtuBelow(length) : mtuFor(length);
  return (mtu === undefined ? undefined : withMtu(world, maps, ifindex, mtu)) ?? world;
}
