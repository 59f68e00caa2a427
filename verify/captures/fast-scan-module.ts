/**
 * The WebAssembly module behind `fast-scan.ts`: packets of a batch are judged and counted without leaving it. What it does not
 * follow (tunnels, rare protocols) and what other packets decide (fragments) is left to the
 * scanner in `oracle/checksums.ts`. It goes the scanner's way step by step, so that both count the same
 * (`fast-scan.test.ts`); the reasons for each step stand there.
 *
 * Sums are those of `oracle/sum.ts` by other means: 16 bytes at a time, in the machine's byte order, which a ones'
 * complement sum does not mind (RFC 1071 §2 B). It shares nothing with what programs and models compute.
 */
import { ModuleEncoder } from '../../sim/ebpf/wasm/encoder.ts';
import { I32 } from '../../sim/ebpf/wasm/opcodes.ts';
import { less, Routine, shiftLeft, sum, wordAt } from '../../sim/ebpf/wasm/routine.ts';
import { PLACE } from './fast-scan-layout.ts';
import { writeLinkLayer } from './fast-scan-link.ts';
import { writeIpv4, writeIpv6 } from './fast-scan-network.ts';
import { writePlain } from './fast-scan-plain.ts';
import { FastScanState, PARAMETERS } from './fast-scan-state.ts';
import { writeTransport } from './fast-scan-transport.ts';
import { WALK_PARAMETERS, walkRoutine } from './fast-scan-walk.ts';

export function fastScanModule(): Uint8Array {
  const encoder = new ModuleEncoder();
  const types = Array.from({ length: PARAMETERS }, () => I32);
  const index = encoder.declare(encoder.type(types, []));
  encoder.define(index, scanRoutine().code);
  encoder.exportFunction('scan', index);
  const walk = encoder.declare(encoder.type(new Array<number>(WALK_PARAMETERS).fill(I32), [I32]));
  encoder.define(walk, walkRoutine().code);
  encoder.exportFunction('walk', walk);
  return encoder.encode();
}

/** For each packet of a part of the batch. */
function scanRoutine(): Routine {
  const routine = new Routine(PARAMETERS);
  const state = new FastScanState(routine);
  const { packets, packet, left, cursor, limit, offset } = state;
  state.loadTotals();
  routine.while(less(packet, packets), () => {
    routine.set(offset, sum(state.arrays, shiftLeft(packet, 2)));
    routine.set(cursor, sum(wordAt(offset, PLACE.offsets), state.base));
    routine.set(limit, sum(cursor, wordAt(offset, PLACE.lengths)));
    routine.block((counted) => {
      writePlain(state, counted);
      state.startPacket();
      routine.block((leave) => {
        routine.block((done) => {
          const ends = { done, leave };
          writeLinkLayer(state, ends);
          // Quoted packets and IP in IP follow one another in a single line, so a loop is enough.
          routine.loop((again) => {
            routine.if(
              state.isIpv4,
              () => writeIpv4(state, ends),
              () => writeIpv6(state, ends),
            );
            writeTransport(state, ends, again);
          });
        });
        state.countLarge();
        routine.branch(counted);
      });
      state.takeBack();
      routine.store(shiftLeft(left, 2), PLACE.left, packet);
      routine.increase(left);
    });
    routine.increase(packet);
  });
  state.storeTotals();
  return routine;
}
