/** Moving an XDP packet's bounds, as WebAssembly: the twin of `PacketArea.adjustHead` and its neighbours. */
import { EACCES, EINVAL } from '../runtime/errno.ts';
import { XDP_MD } from './context/xdp-md.ts';
import { CONTEXT_BASE, FRAGMENT_SIZE, MACHINE_WORD, PACKET_BASE, XDP_FRAME_SIZE } from './memory.ts';
import { ETHERNET_HEADER, MAX_METADATA } from './packet-area.ts';
import { CodeWriter } from './wasm/code-writer.ts';
import { I32, WASM } from './wasm/opcodes.ts';
import type { ModuleFunction } from './wasm/twin.ts';

const DELTA = 0;
const DATA: number = MACHINE_WORD.data * 4;
const DATA_END: number = MACHINE_WORD.dataEnd * 4;
const DATA_META: number = MACHINE_WORD.dataMeta * 4;
const HARD_END: number = MACHINE_WORD.hardEnd * 4;
const LOWEST: number = MACHINE_WORD.lowest * 4;
const FRAGMENT_SKIP: number = MACHINE_WORD.fragmentSkip * 4;
const FRAME_END: number = MACHINE_WORD.frameEnd * 4;

/** Stores a local as one of the three pointers, here and in the context. */
function setBound(code: CodeWriter, word: number, field: number, local: number): void {
  code.storeWord(word, () => code.get(local));
  code.storeWord(CONTEXT_BASE + field, () => code.get(local));
}

/** The lowest address that metadata began at: what lies above it is no longer a fresh page (`PacketArea`). */
function lowerLowest(code: CodeWriter, local: number): void {
  code.get(local).word(LOWEST).op(WASM.i32_lt_s).if();
  code.storeWord(LOWEST, () => code.get(local));
  code.end();
}

function refuse(code: CodeWriter, errno: number): void {
  code.if().i32(-errno).op(WASM.return).end();
}

/** Is `moved` below one bound or above the other? */
function outside(code: CodeWriter, moved: number, low: () => void, high: () => void): void {
  code.get(moved);
  low();
  code.op(WASM.i32_lt_s).get(moved);
  high();
  code.op(WASM.i32_gt_s).op(WASM.i32_or);
}

/** The moved pointer; a delta so large that the sum wraps around is refused first. */
function compileMoved(code: CodeWriter, word: number, moved: number): void {
  code
    .get(DELTA)
    .i32(-0x1000_0000)
    .op(WASM.i32_lt_s)
    .get(DELTA)
    .i32(0x1000_0000)
    .op(WASM.i32_gt_s)
    .op(WASM.i32_or);
  refuse(code, EINVAL);
  code.word(word).get(DELTA).op(WASM.i32_add).set(moved);
}

function compileAdjustHead(): CodeWriter {
  const code = new CodeWriter(1);
  const moved = code.local(I32);
  const meta = code.local(I32);
  compileMoved(code, DATA, moved);
  code.word(DATA).word(DATA_META).op(WASM.i32_sub).set(meta);
  outside(
    code,
    moved,
    () =>
      code
        .i32(PACKET_BASE + XDP_FRAME_SIZE)
        .get(meta)
        .op(WASM.i32_add),
    () => code.word(DATA_END).i32(ETHERNET_HEADER).op(WASM.i32_sub),
  );
  refuse(code, EINVAL);
  // Metadata moves along.
  code.get(meta).if();
  code.get(moved).get(meta).op(WASM.i32_sub).word(DATA_META).get(meta).memoryCopy();
  code.end();
  setBound(code, DATA, XDP_MD.data, moved);
  code.get(moved).get(meta).op(WASM.i32_sub).set(meta);
  setBound(code, DATA_META, XDP_MD.dataMeta, meta);
  lowerLowest(code, meta);
  return code.i32(0);
}

/** Of a frame with fragments: `PacketArea`'s twin in two halves. */
function compileAdjustFragments(code: CodeWriter): void {
  const end = code.local(I32);
  code.word(FRAME_END).get(DELTA).op(WASM.i32_add).set(end);
  code.get(DELTA).i32(0).op(WASM.i32_lt_s).if();
  code.get(DELTA).i32(-0x8000_0000).op(WASM.i32_eq).if().i32(0).op(WASM.return).end();
  code.i32(0).get(DELTA).op(WASM.i32_sub);
  code.word(FRAME_END).word(DATA).op(WASM.i32_sub).i32(ETHERNET_HEADER).op(WASM.i32_sub);
  code.op(WASM.i32_gt_s);
  refuse(code, EINVAL);
  code.get(end).word(DATA_END).op(WASM.i32_lt_u).if();
  setBound(code, DATA_END, XDP_MD.dataEnd, end);
  code.end();
  code.else();
  code.get(DELTA).i32(0).word(FRAGMENT_SKIP).op(WASM.i32_sub);
  code.word(FRAME_END).word(DATA_END).op(WASM.i32_sub).op(WASM.i32_sub);
  code
    .i32(FRAGMENT_SIZE - 1)
    .op(WASM.i32_and)
    .op(WASM.i32_gt_u);
  refuse(code, EINVAL);
  code.word(FRAME_END).i32(0).get(DELTA).memoryFill();
  code.end();
  code.storeWord(FRAME_END, () => code.get(end));
  code.i32(0).op(WASM.return);
}

function compileAdjustTail(): CodeWriter {
  const code = new CodeWriter(1);
  const moved = code.local(I32);
  code.word(FRAME_END).word(DATA_END).op(WASM.i32_gt_u).if();
  compileAdjustFragments(code);
  code.end();
  compileMoved(code, DATA_END, moved);
  outside(
    code,
    moved,
    () => code.word(DATA).i32(ETHERNET_HEADER).op(WASM.i32_add),
    () => code.word(HARD_END),
  );
  refuse(code, EINVAL);
  // What is gained is zeroed.
  code.get(DELTA).i32(0).op(WASM.i32_gt_s).if();
  code.word(DATA_END).i32(0).get(DELTA).memoryFill();
  code.end();
  code.storeWord(FRAME_END, () => code.get(moved));
  setBound(code, DATA_END, XDP_MD.dataEnd, moved);
  return code.i32(0);
}

function compileAdjustMeta(): CodeWriter {
  const code = new CodeWriter(1);
  const moved = code.local(I32);
  const length = code.local(I32);
  compileMoved(code, DATA_META, moved);
  outside(
    code,
    moved,
    () => code.i32(PACKET_BASE + XDP_FRAME_SIZE),
    () => code.word(DATA),
  );
  refuse(code, EINVAL);
  code.word(DATA).get(moved).op(WASM.i32_sub).tee(length).i32(3).op(WASM.i32_and);
  code.get(length).i32(MAX_METADATA).op(WASM.i32_gt_u).op(WASM.i32_or);
  refuse(code, EACCES);
  setBound(code, DATA_META, XDP_MD.dataMeta, moved);
  lowerLowest(code, moved);
  return code.i32(0);
}

/** (delta) → 0, or a negative errno */
function adjustment(compile: () => CodeWriter): ModuleFunction {
  return { parameters: [I32], results: [I32], compile };
}

export const ADJUST_HEAD: ModuleFunction = adjustment(compileAdjustHead);
export const ADJUST_TAIL: ModuleFunction = adjustment(compileAdjustTail);
export const ADJUST_META: ModuleFunction = adjustment(compileAdjustMeta);
