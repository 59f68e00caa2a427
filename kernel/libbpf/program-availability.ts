/** What the kernel's engines need of a program before anything is asked of the kernel. */
import type { Availability } from '../../sim/engines/engine.ts';
import type { Program } from '../../sim/runtime/program.ts';

/** @param program undefined: could any program run? */
export function programAvailability(program: Program | undefined): Availability {
  if (program === undefined) return { available: true };
  if (program.object === undefined) {
    return {
      available: false,
      reason: `${program.name} has no compiled object`,
      remedy: 'Compile it, or name an object with --object.',
    };
  }
  const behind = program.entries.find((entry) => entry.behindRedirect !== undefined);
  if (behind !== undefined) {
    return {
      available: false,
      reason: `${behind.function} runs behind a redirect only (${behind.behindRedirect})`,
      remedy: 'run it in the engine vm or wasm, or put it into a map of the lab',
    };
  }
  return { available: true };
}
