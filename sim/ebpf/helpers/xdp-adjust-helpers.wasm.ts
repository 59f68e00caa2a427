/** Moving an XDP packet's bounds as WebAssembly: the twin of `xdp-adjust-helpers.ts`. */
import { type Behaviour, behaviourOf } from '../kernel-versions.ts';
import { ADJUST_HEAD, ADJUST_META, ADJUST_TAIL } from '../packet-area.wasm.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { ModuleFunction, Twin, Twins } from '../wasm/twin.ts';

/** @param needs what older kernels do otherwise is left to the helper itself */
function adjust(shared: ModuleFunction, needs?: Behaviour): Twin {
  return ({ writer }, context) => {
    if (needs !== undefined && !behaviourOf(context.options.asKernel)[needs]) return false;
    writer.push(2, false);
    writer.code.call(context.indexOf(shared)).op(WASM.i64_extend_i32_s);
    writer.pop(0);
    return true;
  };
}

export const XDP_ADJUST_TWINS: Twins = {
  bpf_xdp_adjust_head: adjust(ADJUST_HEAD),
  bpf_xdp_adjust_tail: adjust(ADJUST_TAIL, 'adjustTailGrows'),
  bpf_xdp_adjust_meta: adjust(ADJUST_META, 'longMetadata'),
};
