/** Moving an XDP packet's bounds as WebAssembly: the twin of `xdp-adjust-helpers.ts`. */
import { ADJUST_HEAD, ADJUST_META, ADJUST_TAIL } from '../packet-area.wasm.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { ModuleFunction, Twin, Twins } from '../wasm/twin.ts';

function adjust(shared: ModuleFunction): Twin {
  return ({ writer }, context) => {
    writer.push(2, false);
    writer.code.call(context.indexOf(shared)).op(WASM.i64_extend_i32_s);
    writer.pop(0);
    return true;
  };
}

export const XDP_ADJUST_TWINS: Twins = {
  bpf_xdp_adjust_head: adjust(ADJUST_HEAD),
  bpf_xdp_adjust_tail: adjust(ADJUST_TAIL),
  bpf_xdp_adjust_meta: adjust(ADJUST_META),
};
