/** From packet to packet through a capture in memory: the module's second function, and what it does for decoders. */
import { MAX_CAPTURED } from '../../corpus/formats/capture-batch.ts';
import {
  and,
  anyOf,
  difference,
  exclusiveOr,
  greater,
  isZero,
  less,
  lessUnsigned,
  or,
  Routine,
  shiftLeft,
  shiftRight,
  sum,
  wordAt,
} from '../../sim/ebpf/wasm/routine.ts';
import { FAST_CAPACITY, PLACE } from './fast-scan-layout.ts';

/** Of the exported function. */
export const WALK_PARAMETERS = 6;

/** How many bytes are brought into the cache at a time, in the order in which they lie: headers alone are waited for one by one. */
const TOUCHED = 16_384;
const CACHE_LINE = 64;

/** Returns how many packets there are, and leaves where it ended at `PLACE.walked`. */
export function walkRoutine(): Routine {
  const routine = new Routine(WALK_PARAMETERS);
  // Addresses: the first header, the end of the bytes, and what offsets are counted from. Then the header's size, where the length
  // stands in it, and is that big-endian?
  const [first, end, base, size, lengthAt, isSwapped] = routine.parameters;
  const at = routine.variable();
  const touched = routine.variable();
  const line = routine.variable();
  const sink = routine.variable();
  const length = routine.variable();
  const place = routine.variable();
  routine.set(at, first!);
  routine.set(touched, at);
  routine.block((over) => {
    routine.while(less(place, FAST_CAPACITY * 4), () => {
      routine.branchIf(less(difference(end!, at), size!), over);
      routine.if(isZero(less(at, touched)), () => {
        routine.set(touched, sum(at, TOUCHED));
        routine.set(line, at);
        // What lies behind the end belongs to this memory, too.
        routine.while(less(line, touched), () => {
          for (let step = 0; step < 4; step++) {
            routine.set(sink, exclusiveOr(sink, wordAt(line, step * CACHE_LINE)));
          }
          routine.increase(line, 4 * CACHE_LINE);
        });
      });
      routine.set(length, wordAt(sum(at, lengthAt!)));
      routine.if(isSwapped!, () => {
        const halves = or(shiftLeft(and(length, 0x00ff_00ff), 8), and(shiftRight(length, 8), 0x00ff_00ff));
        routine.set(length, halves);
        routine.set(length, or(shiftLeft(length, 16), shiftRight(length, 16)));
      });
      const room = difference(difference(end!, at), size!);
      routine.branchIf(anyOf(lessUnsigned(MAX_CAPTURED, length), greater(length, room)), over);
      routine.increase(at, size!);
      routine.store(place, PLACE.walkedOffsets, difference(at, base!));
      routine.store(place, PLACE.walkedLengths, length);
      routine.increase(at, length);
      routine.increase(place, 4);
    });
  });
  routine.store(0, PLACE.walked, at);
  // Read for nothing else.
  routine.store(0, PLACE.touched, sink);
  routine.result(shiftRight(place, 2));
  return routine;
}
