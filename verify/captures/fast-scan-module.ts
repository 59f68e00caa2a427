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
import { called, isZero, less, Routine, shiftLeft } from '../../sim/ebpf/wasm/routine.ts';
import { PLACE } from './fast-scan-layout.ts';
import { writeLinkLayer } from './fast-scan-link.ts';
import { writeIpv4, writeIpv6 } from './fast-scan-network.ts';
import { findPacket, PLAIN_PARAMETERS, plainRoutine, writePacketPlain } from './fast-scan-plain.ts';
import { FastScanState, PARAMETERS } from './fast-scan-state.ts';
import { writeTransport } from './fast-scan-transport.ts';
import { WALK_PARAMETERS, walkRoutine } from './fast-scan-walk.ts';

export function fastScanModule(): Uint8Array {
  const encoder = new ModuleEncoder();
  const plain = encoder.declare(encoder.type(numbers(PLAIN_PARAMETERS), [I32]));
  encoder.define(plain, plainRoutine().code);
  const scan = encoder.declare(encoder.type(numbers(PARAMETERS), []));
  encoder.define(scan, scanRoutine(plain).code);
  encoder.exportFunction('scan', scan);
  const walk = encoder.declare(encoder.type(numbers(WALK_PARAMETERS), [I32]));
  encoder.define(walk, walkRoutine().code);
  encoder.exportFunction('walk', walk);
  return encoder.encode();
}

function numbers(count: number): number[] {
  return new Array<number>(count).fill(I32);
}

/**
 * After so many plain packets in a row, the function that knows nothing else goes on. Between others they are judged where these are: calls would
 * take longer.
 */
const PLAIN_RUN = 16;

/** For each packet of a part of the batch. @param plain the function that judges most of them */
function scanRoutine(plain: number): Routine {
  const routine = new Routine(PARAMETERS);
  const state = new FastScanState(routine);
  const { packet, packets, base, headerSize, typeAt, mtu, arrays } = state;
  state.loadTotals();
  const run = routine.variable();
  routine.block((over) => {
    routine.loop((plainOnes) => {
      routine.set(packet, called(plain, packet, packets, base, headerSize, typeAt, mtu, arrays));
      routine.set(run, 0);
      routine.loop((next) => {
        routine.branchIf(isZero(less(packet, packets)), over);
        findPacket(state);
        routine.block((otherwise) => {
          writePacketPlain(state, otherwise);
          routine.increase(packet);
          routine.increase(run);
          routine.branchIf(less(run, PLAIN_RUN), next);
          routine.branch(plainOnes);
        });
        writeOnePacket(state);
        routine.increase(packet);
        routine.set(run, 0);
        routine.branch(next);
      });
    });
  });
  state.storeTotals();
  return routine;
}

/** The long way of one packet. */
function writeOnePacket(state: FastScanState): void {
  const { routine, packet, left } = state;
  state.startPacket();
  routine.block((counted) => {
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
}
