/** The engine `testrun`: the real kernel, one packet at a time, through `BPF_PROG_TEST_RUN`. */
import {
  type Availability,
  type Engine,
  EngineError,
  type Observables,
  type Refusal,
  type Session,
} from '../../sim/engines/engine.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { programAvailability } from '../libbpf/program-availability.ts';
import type { SessionNetwork } from '../network/shared-network.ts';
import { maxTestRunMetadata, testRunAvailability } from './availability.ts';
import { firstRefusal } from './limits.ts';
import { TestRunSession } from './session.ts';
import { canObserveTrace } from './trace.ts';

/** Cheap: nothing is loaded or asked of the kernel before the first question. */
export function createTestRunEngine(): Engine {
  return new TestRunEngine();
}

class TestRunEngine implements Engine {
  readonly name = 'testrun';
  #observes: Observables | undefined;

  get observes(): Observables {
    this.#observes ??= {
      action: 'exact',
      packet: 'always',
      metadata: true,
      redirect: false,
      maps: true,
      // Closing a perf event takes the kernel tens of milliseconds: only where somebody wants to know.
      get trace() {
        return testRunAvailability('xdp').available && canObserveTrace();
      },
      skb: true,
      tstamp: true,
    };
    return this.#observes;
  }

  availability(program?: Program): Availability {
    const answer = programAvailability(program);
    if (!answer.available) return answer;
    for (const hook of hooksOf(program)) {
      const kernel = testRunAvailability(hook);
      if (!kernel.available) return kernel;
    }
    return { available: true };
  }

  refuses(program: Program, batch: PacketBatch): Refusal | undefined {
    return firstRefusal(program.entries, batch, { maxMetadata: maxTestRunMetadata() });
  }

  async open(program: Program, world: World): Promise<Session> {
    const availability = this.availability(program);
    if (!availability.available) {
      throw new EngineError('environment', `testrun cannot run here: ${availability.reason}`, {
        remedy: availability.remedy,
      });
    }
    const network = statesNetwork(world) ? await networkOfItsOwn(withDefaultDevices(world, [])) : undefined;
    return new TestRunSession(program, world, network);
  }
}

/** Where the world says nothing of networks, sessions share a namespace with the default devices (`TestRunSession`). */
function statesNetwork(world: World): boolean {
  return [world.devices, world.routes, world.neighbours, world.sockets].some(
    (list) => list !== undefined && list.length > 0,
  );
}

/** Makes a world's devices, routes and neighbours real, in network namespaces of the session's own. */
async function networkOfItsOwn(world: World): Promise<SessionNetwork> {
  const { createWorldNetwork } = await import('../network/world-network.ts');
  const { enter, close } = await createWorldNetwork(world);
  return { enter, makeDevices: () => {}, close };
}

function hooksOf(program: Program | undefined): readonly Hook[] {
  return program === undefined ? ['xdp'] : program.entries.map((entry) => entry.hook);
}
