/** What must hold of every run to its end: the action, the target of a redirect, and that bytes which nobody wrote stay inside. */
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { MapEntryState, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { isConst, type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { actionName, TC_ACT_REDIRECT, XDP_REDIRECT } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import { contentsIn } from './contents.ts';
import { isAction } from './known-actions.ts';
import type { PropertyRows, Row } from './property-rows.ts';
import type { Witness } from './witness.ts';

/**
 * Judges one path that has ended.
 * @param witness that takes it, confirmed
 */
export function judgeRun(
  inputs: Inputs,
  state: PathState,
  witness: Witness | undefined,
  rows: PropertyRows,
): void {
  if (state.end?.kind !== 'exit') return;
  const { action } = state.end;
  judgeAction(inputs, state, action, witness, rows);
  judgeRedirect(inputs, state, action, witness, rows);
  judgeUnwritten(inputs, state, action, witness, rows);
}

/** @param action its lower 32 bits count */
export function returnsText(action: bigint): string {
  return `the program returns ${BigInt.asIntN(32, action)}`;
}

export function stopsText(why: string | undefined): string {
  return `the machine stops the program: ${why}`;
}

/** May the frame leave, towards the stack or the wire? */
export function mayLeave(inputs: Inputs, action: Term): boolean {
  return !isConst(action) || leaves(inputs.hook, Number(BigInt.asIntN(32, action.value)));
}

function enter(row: Row, witness: Witness | undefined, reason: string): void {
  if (witness === undefined) row.undecided ??= `${reason}; no packet was made that shows it`;
  else row.refuted ??= { witness, reason };
}

function judgeAction(
  inputs: Inputs,
  state: PathState,
  action: Term,
  witness: Witness | undefined,
  rows: PropertyRows,
): void {
  const row = rows.row('action/unknown');
  row.paths++;
  const is = state.knowledge.settle(isAction(inputs, action));
  if (is === state.pool.true) return;
  const map = contentsIn(inputs, action);
  const only = state.knowledge.only(action);
  if (only !== undefined) enter(row, witness, returnsText(only));
  else if (map !== undefined)
    row.undecided ??= `a path returns what map ${map} holds, which may be no action`;
  else if (is === state.pool.false && witness !== undefined) {
    enter(row, witness, returnsText(new Evaluator(witness.values).value(action)));
  } else row.undecided ??= 'a path returns a number that is not known';
}

/** A redirect has a target that a helper has stored, and no helper refuses it. */
function judgeRedirect(
  { hook }: Inputs,
  state: PathState,
  action: Term,
  witness: Witness | undefined,
  rows: PropertyRows,
): void {
  const redirected = hook === 'xdp' ? XDP_REDIRECT : TC_ACT_REDIRECT;
  const only = state.knowledge.only(action);
  if (only === undefined) {
    openRedirect(state, action, redirected, rows);
    return;
  }
  const returned = Number(BigInt.asIntN(32, only));
  const { refusal } = state;
  if (refusal !== undefined || state.redirect !== undefined) {
    const row = rows.row('redirect/refused');
    row.paths++;
    if (refusal !== undefined && refusal.returned === returned) enter(row, witness, refusal.reason);
  }
  if (returned !== redirected) return;
  const row = rows.row('redirect/no-target');
  row.paths++;
  if (state.redirect !== undefined) return;
  enter(
    row,
    witness,
    `the program returns ${actionName(hook, redirected)}, and no helper has stored a target`,
  );
}

/** A path that may return this or that, as whoever fills a map in wants it. */
function openRedirect(state: PathState, action: Term, redirected: number, rows: PropertyRows): void {
  const { pool, knowledge, refusal } = state;
  const mayReturn = (number: number): boolean => {
    const is = pool.equal(pool.extract(action, 0, 32), pool.constant(32, number));
    return knowledge.settle(is) !== pool.false;
  };
  if (refusal !== undefined && mayReturn(refusal.returned))
    rows.row('redirect/refused').undecided ??= `a path may return what a helper refused: ${refusal.reason}`;
  if (state.redirect === undefined && mayReturn(redirected))
    rows.row('redirect/no-target').undecided ??=
      'a path may return a redirect, for which no helper has stored a target';
}

function isUnwritten(term: Term): boolean {
  for (const { name } of unknownsOf(term)) if (name.startsWith('unwritten.')) return true;
  return false;
}

function judgeUnwritten(
  inputs: Inputs,
  state: PathState,
  action: Term,
  witness: Witness | undefined,
  rows: PropertyRows,
): void {
  const [decision, frame] = [rows.row('uninitialized/decision'), rows.row('uninitialized/frame')];
  decision.paths++;
  frame.paths++;
  const isSent = mayLeave(inputs, action);
  if (isSent) judgeRoom(inputs, state, witness, frame);
  const writes = state.entries.filter(({ block }) => state.blocks[block]!.memory.written().length > 0);
  const map = writes.length > 0 ? rows.row('uninitialized/map') : undefined;
  if (map !== undefined) map.paths++;
  if (state.readsUnwritten === undefined) return;
  if (state.constraints.some((one) => isUnwritten(one.condition)) || isUnwritten(action))
    enter(decision, witness, 'bytes of the stack that nobody wrote decide');
  const { bytes } = state.packet;
  if (isSent && bytes.written().some((at) => isUnwritten(bytes.byte(state.pool, at)!)))
    enter(frame, witness, 'bytes of the stack that nobody wrote leave with the frame');
  for (const entry of writes) {
    const where = unwrittenPart(state, entry);
    if (where === undefined) continue;
    const { name } = inputs.machine.maps[entry.map]!;
    enter(map!, witness, `bytes of the stack that nobody wrote go into ${where} of map ${name}`);
  }
}

/** An entry that the program made or changed: which part of it holds what nobody wrote? */
function unwrittenPart(state: PathState, { key, block, wasThere }: MapEntryState): string | undefined {
  // The key of an entry that was there already is what somebody else wrote.
  if (state.knowledge.settle(wasThere) !== state.pool.true && key.some(isUnwritten)) return 'a key';
  const { memory } = state.blocks[block]!;
  return memory.written().some((at) => isUnwritten(memory.byte(state.pool, at)!)) ? 'a value' : undefined;
}

/** The room that `bpf_xdp_adjust_head` makes in front holds what another packet left there, until it is written. */
function judgeRoom(inputs: Inputs, state: PathState, witness: Witness | undefined, frame: Row): void {
  const { packet, pool } = state;
  const { min, max } = state.knowledge.range(packet.data);
  if (min >= BigInt(inputs.data)) return;
  const written = new Set(packet.bytes.written());
  let at = Number(max);
  while (at < inputs.data && written.has(at)) at++;
  const start = Number(min);
  if (min === max && at >= inputs.data) {
    // Written, but with what lay there: as good as not.
    at = start;
    while (at < inputs.data && !isBefore(packet.bytes.byte(pool, at)!)) at++;
    if (at >= inputs.data) return;
  }
  const which = min === max ? `byte ${at - start} of the frame` : 'room in front of the frame';
  if (min !== max || witness === undefined) frame.undecided ??= `${which} may leave as nobody wrote it`;
  else frame.refuted ??= { witness, reason: `${which} leaves as nobody wrote it` };
}

/** Is it a byte that lay in front of the frame? */
function isBefore(term: Term): boolean {
  // As long as the metadata in front of the frame is, so far it has been moved.
  if (term.operation === 'ite') return term.operands.slice(1).some(isBefore);
  return term.operation === 'var' && term.name.startsWith('before');
}
