/** `bpf_check_mtu`, term by term: which MTU a device has nobody knows, but whether the frame fits follows from it. */
import { HELPERS } from '../helpers/index.ts';
import { ETHERNET_HEADER } from '../packet-area.ts';
import { readBytes } from './access.ts';
import { anyValue } from './any-value.ts';
import { Impossible } from './impossible.ts';
import { nextAnswerName } from './note-answer.ts';
import type { PathState } from './path-state.ts';
import { isGso } from './skb-bounds.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

const CHECK_MTU = 163;
/** Which of its arguments is the length that is asked about, and the MTU afterwards. */
const LENGTH = 2;

const checkMtu: SymbolicHelper = (inputs, state, args) => {
  const { pool } = state;
  const [, ifindex, length, difference, flags] = args;
  const helper = HELPERS.get(CHECK_MTU)!;
  const isKnown = (term: Term, value: bigint): boolean => state.knowledge.only(term) === value;
  // Another device need not be there; flags count segments. What another program has heard already is what it was.
  const isPlain = isKnown(pool.extract(ifindex!.term, 0, 32), 0n) && isKnown(flags!.term, 0n);
  if (isPlain && state.foretold === undefined) {
    const asked = pool.concat(readBytes(inputs, state, length!, 4).reverse());
    const name = nextAnswerName(inputs, state, helper.name);
    const told = pool.concat([3, 2, 1, 0].map((at) => pool.unknown(8, `${name}.${LENGTH}.${at}`)));
    const isWhole = state.decide(pool.equal(asked, pool.constant(32, 0)));
    const present = isWhole ? frameLength(state) : pool.addConst(asked, ETHERNET_HEADER);
    const size = pool.add(present, pool.extract(difference!.term, 0, 32));
    const isTooLong = pool.lessSigned(pool.addConst(told, ETHERNET_HEADER), size);
    const passes = state.hook !== 'xdp' && isGso(inputs, state);
    const one = passes
      ? pool.constant(32, 0)
      : pool.ite(isTooLong, pool.constant(32, 1), pool.constant(32, 0));
    // An MTU has at most 16 bits, but for that of the loopback device.
    const most = pool.constant(32, 0x1_0000);
    if (state.decide(pool.less(most, told)) || !state.decide(pool.equal(pool.unknown(32, name), one)))
      throw new Impossible();
  }
  return anyValue(inputs, state, helper, args);
};

function frameLength({ pool, packet }: PathState): Term {
  return pool.extract(pool.subtract(packet.end, packet.data), 0, 32);
}

export const MTU_HELPERS: Readonly<Record<string, SymbolicHelper>> = { bpf_check_mtu: checkMtu };
