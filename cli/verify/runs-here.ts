/**
 * Which runs of `xdpsim verify` need no process besides the main one: short ones of built-in programs, of which it is known
 * that they end. Everything else may loop, need all memory or end its process, and the report is to be complete even then.
 */
import { programByName } from '../../sim/programs/index.ts';
import { totalPackets } from '../../verify/run.ts';
import { statesWorld } from '../input/world-options.ts';
import type { VerifyPlan } from './plan.ts';

/** Packets of all programs together. A process takes as long to start as some ten thousand. */
const MOST_PACKETS = 20_000;

export function runsHere(plan: VerifyPlan): boolean {
  return (
    plan.programs.length > 0 &&
    plan.programs.every((name) => programByName(name) !== undefined) &&
    plan.programs.length * totalPackets(plan) <= MOST_PACKETS &&
    plan.object === undefined &&
    plan.packets.length === 0 &&
    !plan.live &&
    plan.engines?.includes('veth') !== true &&
    !statesWorld(plan.surroundings) &&
    plan.surroundings.maxEntries.length === 0
  );
}
