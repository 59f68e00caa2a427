/** For processes that have run what matters often enough. */
import { setFlagsFromString } from 'node:v8';

/** How much of a function runs before V8 thinks of compiling it, in bytes of bytecode. V8's own: 132 KB in Node 20. */
const WARM_BUDGET = 4_000_000;

/**
 * Lets V8 be, once what every packet needs is compiled. It would go on to compile what one packet in a thousand needs, for a
 * tenth of a run's processor time. Nobody says what V8's budget was, so this is for good.
 */
export function compileLess(): void {
  setFlagsFromString(`--interrupt-budget=${WARM_BUDGET}`);
}
