/**
 * `BPF_LD | BPF_ABS` and `BPF_LD | BPF_IND`: the packet loads of classic BPF, for TC programs
 * (kernel/bpf/core.c, net/core/filter.c `bpf_skb_load_helper_32`).
 */
import { accessSize, BPF_IND, MODE_MASK } from '../instruction.ts';
import { packetLoadAddress } from '../packet-load-offsets.ts';
import { CONTEXT_REGION } from './provenance.ts';
import { forget, type State, violate } from './state.ts';

/**
 * Loads into r0, in host order, through the context in r6.
 * @param source the register that an indirect load adds
 * @returns false where the packet ends before: the function, mostly the program, is over and returns 0
 */
export function loadPacket(state: State, slot: number, source: number): boolean {
  const { machine, lo, hi, tag } = state;
  const { instructions } = state.program.source;
  const opcode = instructions.opcode[slot]!;
  if (state.references > 0 || state.lock !== 0) violate('BPF_LD_[ABS|IND] would lead to reference leak');
  if (tag[6] !== CONTEXT_REGION) violate('at the time of BPF_LD_ABS|IND R6 != pointer to skb');
  const indirect = (opcode & MODE_MASK) === BPF_IND;
  if (indirect && tag[source] === 0) violate(`R${source} !read_ok`);
  const size = accessSize(opcode);
  const offset = (instructions.imm[slot]! + (indirect ? lo[source]! : 0)) | 0;
  forget(tag, 1, 6);
  const address = packetLoadAddress(machine, offset);
  if (address === undefined || address + size > machine.packet.frameEnd) return false;
  const { view } = machine.memory;
  lo[0] = size === 1 ? view.getUint8(address) : size === 2 ? view.getUint16(address) : view.getInt32(address);
  hi[0] = 0;
  return true;
}
