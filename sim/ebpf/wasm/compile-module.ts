/** A machine's programs as one WebAssembly module: analysed, compiled, with the loop over batches around them. */
import type { Hook } from '../../runtime/actions.ts';
import { KIND } from '../analysis/abstract-value.ts';
import { analyse, type ProgramFacts } from '../analysis/analysis.ts';
import { frozenData } from '../analysis/frozen-data.ts';
import type { BpfProgram } from '../bpf-object.ts';
import { refersToFunction } from '../check-instructions.ts';
import { programLayout } from '../context/program-layout.ts';
import { looksAtSocket } from '../context/socket.ts';
import { XDP_MD } from '../context/xdp-md.ts';
import type { Helper } from '../helpers/helper.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { TWINS } from '../helpers/twins.ts';
import {
  BPF_ABS,
  BPF_IND,
  BPF_LD,
  BPF_PSEUDO_CALL,
  CALL,
  CLASS_MASK,
  callTarget,
  isMayGoto,
  LDDW,
  MODE_MASK,
} from '../instruction.ts';
import { CALL_COST } from '../limits.ts';
import type { Machine } from '../machine.ts';
import { DESCRIPTOR } from '../maps/live-map.ts';
import { CONTEXT_BASE, STACK_BASE, STACK_SIZE } from '../memory.ts';
import { type BatchContext, type BatchNeeds, compileRunBatch, compileRunOne } from './batch-loop.ts';
import { CodeWriter } from './code-writer.ts';
import { compileFunction } from './compile-function.ts';
import { compileHelperCall, type HelperCall } from './compile-helper.ts';
import { ModuleEncoder } from './encoder.ts';
import { FunctionWriter, PARAMETER_TYPES, type RuntimeFunctions } from './function-writer.ts';
import { WASM_WORD } from './layout.ts';
import { I32, I64, WASM } from './opcodes.ts';
import { compileRegionCheck } from './regions.ts';
import type { ModuleFunction, TwinContext } from './twin.ts';

export interface ModuleInput {
  readonly machine: Machine;
  readonly entries: readonly { readonly hook: Hook; readonly program: number; readonly frags?: boolean }[];
  /** The object's programs that can run at all. */
  readonly wanted: ReadonlySet<number>;
  /** Instructions that one run may execute. */
  readonly budget: number;
  /** Rounds that `may_goto` allows in one run. */
  readonly mayGoto: number;
  /** Check at run time what has been proven, too? For tests of the proofs; default false. */
  readonly distrustful?: boolean;
  /** Default: `context`. */
  readonly enteredWith?: 'context' | 'memory';
  /** What the module runs at a call: a batch (the default), a packet from JavaScript, or the first entry with two numbers. */
  readonly runs?: 'batch' | 'packet' | 'numbers';
  /** Import every helper, even one that has a twin? For tests of the twins; default false. */
  readonly withoutTwins?: boolean;
}

/** One program in the module. */
export interface Unit {
  /** Index into the object's programs. */
  readonly program: number;
  readonly source: BpfProgram;
  readonly hook: 'xdp' | 'tc';
  readonly facts: ProgramFacts;
  /** Addresses of counters, 8 bytes for each slot: jumps taken, entries of functions, places where runs ended. */
  readonly taken: number;
  readonly entered: number;
  readonly left: number;
  /** WebAssembly's index of each function, by its first slot. */
  readonly functions: Map<number, number>;
  /** The functions' positions in the table, for callbacks. */
  readonly table: Map<number, number>;
}

export interface CompiledModule {
  readonly bytes: Uint8Array;
  readonly units: readonly Unit[];
  /** The helpers that are imported, by the names of their imports. */
  readonly imports: ReadonlyMap<string, Helper>;
  /** The names of those that some call carries out by itself. */
  readonly inlined: ReadonlySet<string>;
  readonly needs: BatchNeeds;
}

/** Of what runs a batch, and of what runs a packet. */
const RUNNER_TYPES = [I32, I32, I32, I32, I32] as const;

/** Names of imports and exports. */
export const JUDGE = 'judge';
export const RUN_BATCH = 'runBatch';
export const RUN_ONE = 'runOne';
/** What is left of the budget: less than 0 once a run was stopped for it. */
export const BUDGET_LEFT = 'budget';
export const CALL_BACK = 'callBack';
export const RUN_RAW = 'runRaw';

export function compileModule(input: ModuleInput): CompiledModule {
  return new ModuleCompiler(input).compile();
}

class ModuleCompiler {
  readonly #input: ModuleInput;
  readonly #encoder = new ModuleEncoder();
  readonly #units: Unit[];
  readonly #helpers = new Map<string, Helper>();
  readonly #importIndex = new Map<Helper, number>();
  readonly #inlined = new Set<string>();
  /** WebAssembly's indices of the functions that twins share. */
  readonly #shared = new Map<ModuleFunction, number>();
  readonly #programType: number;
  readonly #budget: number;
  readonly #mayGoto: number;
  /** Does anything need the packet's bounds in the machine block? */
  #looksAtBounds = false;
  #judge = 0;

  constructor(input: ModuleInput) {
    this.#input = input;
    this.#programType = this.#encoder.type(PARAMETER_TYPES, [I64]);
    this.#budget = this.#encoder.global(0);
    this.#mayGoto = this.#encoder.global(0);
    const { object } = input.machine;
    const kindOf = (program: number): 'xdp' | 'tc' => {
      const entry = input.entries.find((one) => one.program === program) ?? input.entries[0];
      return entry === undefined || entry.hook === 'xdp' ? 'xdp' : 'tc';
    };
    this.#units = [...input.wanted].map((program) =>
      this.#unit(program, object.programs[program]!, kindOf(program)),
    );
  }

  #unit(program: number, source: BpfProgram, hook: 'xdp' | 'tc'): Unit {
    const { memory } = this.#input.machine;
    const layout = programLayout(hook, source);
    const facts = analyse({
      program: source,
      maps: this.#input.machine.object.maps,
      layout,
      helperAt: (slot) => this.#helperAt(source, slot),
      enteredWith: this.#input.enteredWith ?? 'context',
      frozen: frozenData(this.#input.machine),
    });
    const size = 8 * source.instructions.count;
    return {
      program,
      source,
      hook,
      facts,
      taken: memory.allocate(size),
      entered: memory.allocate(size),
      left: memory.allocate(size),
      functions: new Map(),
      table: new Map(),
    };
  }

  #helperAt(program: BpfProgram, slot: number): Helper | undefined {
    return helperAt(this.#input.machine.object, program, slot);
  }

  compile(): CompiledModule {
    const encoder = this.#encoder;
    this.#declareImports();
    const runtime: RuntimeFunctions = {
      violate: encoder.declare(encoder.type([I32, I32, I32], [])),
      mayRead: encoder.declare(encoder.type([I64, I64, I32], [I32])),
      mayWrite: encoder.declare(encoder.type([I64, I64, I32], [I32])),
    };
    const callBack = encoder.declare(encoder.type([I32, I32, I32, I32, I32, I32], [I32]));
    const table = this.#declareFunctions();
    const { maps, variables } = this.#input.machine;
    encoder.define(runtime.violate, compileViolate());
    const fragments = [...this.#helpers.values()].some((helper) => helper.returns === 'slice_or_null');
    encoder.define(runtime.mayRead, compileRegionCheck(maps, false, this.#judge, fragments, variables));
    encoder.define(runtime.mayWrite, compileRegionCheck(maps, true, this.#judge, fragments, variables));
    encoder.define(callBack, this.#compileCallBack());
    const runner = new CodeWriter(RUNNER_TYPES.length);
    const bodies = new Map<number, (code: CodeWriter) => void>();
    for (const [index, unit] of this.#units.entries()) {
      bodies.set(unit.program, this.#compileUnit(unit, index, runtime, runner));
    }
    const needs = this.#needs();
    const { entries, runs } = this.#input;
    const context: BatchContext = {
      entries: entries.map(({ hook, program, frags }) => ({
        hook,
        frags: frags ?? false,
        run: bodies.get(program)!,
      })),
      needs,
      budget: this.#budget,
      mayGoto: this.#mayGoto,
    };
    if (runs === 'numbers') {
      encoder.exportFunction(RUN_RAW, this.#compileRunRaw());
    } else {
      const run = encoder.declare(encoder.type(RUNNER_TYPES, [I32]));
      encoder.define(run, (runs === 'packet' ? compileRunOne : compileRunBatch)(context, runner));
      encoder.exportFunction(runs === 'packet' ? RUN_ONE : RUN_BATCH, run);
    }
    encoder.exportFunction(CALL_BACK, callBack);
    encoder.exportGlobal(BUDGET_LEFT, this.#budget);
    encoder.table = table;
    return {
      bytes: encoder.encode(),
      units: this.#units,
      imports: this.#helpers,
      inlined: this.#inlined,
      needs,
    };
  }

  #declareImports(): void {
    const encoder = this.#encoder;
    const type = encoder.type([I32, I32, I32, I32, I32], [I32]);
    this.#judge = encoder.importFunction('machine', JUDGE, encoder.type([I32, I32, I32], [I32]));
    for (const { source, facts } of this.#units) {
      for (const slot of facts.calls.keys()) {
        const helper = this.#helperAt(source, slot);
        if (helper === undefined || this.#helpers.has(helper.name)) continue;
        this.#helpers.set(helper.name, helper);
        this.#importIndex.set(helper, encoder.importFunction('helper', helper.name, type));
      }
    }
  }

  /** Programs first, by their numbers, then every function of every unit. */
  #declareFunctions(): number[] {
    const encoder = this.#encoder;
    for (const unit of this.#units) {
      for (const { start } of unit.facts.functions) {
        if (start > 0 || this.#isCalled(unit)) unit.functions.set(start, encoder.declare(this.#programType));
      }
    }
    const missing = encoder.declare(this.#programType);
    encoder.define(missing, new CodeWriter(PARAMETER_TYPES.length).op(WASM.unreachable));
    const table = this.#input.machine.object.programs.map((_, program) => {
      const unit = this.#units.find((one) => one.program === program);
      return unit?.functions.get(0) ?? missing;
    });
    for (const unit of this.#units) {
      for (const [start, index] of unit.functions) unit.table.set(start, table.push(index) - 1);
    }
    return table;
  }

  /** Must the program be a function of its own, for tail calls, say? Otherwise it is part of what runs it. */
  #isCalled({ program, source: { instructions } }: Unit): boolean {
    const { entries, runs } = this.#input;
    if (runs === 'numbers' || entries.every((entry) => entry.program !== program)) return true;
    if ([...this.#helpers.values()].some(({ effects }) => effects.leavesProgram === true)) return true;
    for (let slot = 0; slot < instructions.count; slot++) {
      if (refersToFunction(instructions, slot) && callTarget(instructions, slot) === 0) return true;
      if (instructions.opcode[slot] === LDDW) slot++;
    }
    return false;
  }

  /** @returns what writes a run of the program into `runner` */
  #compileUnit(
    unit: Unit,
    index: number,
    runtime: RuntimeFunctions,
    runner: CodeWriter,
  ): (code: CodeWriter) => void {
    const { maps, object, options } = this.#input.machine;
    const { source, facts } = unit;
    const { instructions } = source;
    const functionAt = (start: number): number => unit.functions.get(start)!;
    const twins: TwinContext = {
      hook: unit.hook,
      options,
      indexOf: (shared) => this.#indexOf(shared),
      programType: this.#programType,
      budget: this.#budget,
      leftCounter: (slot) => unit.left + 8 * slot,
      programTable: 0,
      functionAt,
    };
    const helperContext = {
      maps,
      sources: object.maps,
      states: facts.calls,
      helperAt: (slot: number) => this.#helperAt(source, slot),
      unit: index,
      inline: (call: HelperCall) => this.#inline(call, twins),
      importOf: (helper: Helper) => {
        this.#looksAtBounds = true;
        return this.#importIndex.get(helper)!;
      },
    };
    // A program that another function tail-calls may run in any frame.
    const anyFrame = this.#tailCallsFromSubprograms();
    let run = callOf(unit.functions.get(0));
    for (const one of facts.functions) {
      const own = unit.functions.get(one.start);
      const enclosure =
        own === undefined ? { code: runner.part().block(), result: runner.local(I64) } : undefined;
      const writer = new FunctionWriter(
        index,
        runtime,
        one.start === 0 && !anyFrame,
        this.#input.distrustful ?? false,
        enclosure,
      );
      const code = compileFunction(
        writer,
        {
          instructions,
          facts,
          layout: programLayout(unit.hook, unit.source),
          maps,
          valueAddress: (map) => maps[map]!.word(DESCRIPTOR.storage),
          functionAt,
          takenCounter: (slot) => unit.taken + 8 * slot,
          leftCounter: (slot) => unit.left + 8 * slot,
          enteredCounter: (start) => unit.entered + 8 * start,
          budget: this.#budget,
          mayGoto: this.#mayGoto,
          stopsAtMayGoto: this.#input.machine.kernel.mayGotoLooksAtClock,
          stackFill: this.#input.machine.world.stackFill ?? 0,
          compileHelper: (into, slot) => compileHelperCall(into, slot, helperContext),
        },
        one,
      );
      if (writer.checksMemory) this.#looksAtBounds = true;
      if (own !== undefined) this.#encoder.define(own, code);
      if (enclosure !== undefined) {
        code.end().get(enclosure.result);
        run = (loop) => void writer.enter(loop).append(code);
      }
    }
    return run;
  }

  #tailCallsFromSubprograms(): boolean {
    return this.#units.some(({ source, facts }) => {
      const main = source.subprograms[0]!;
      return [...facts.calls.keys()].some(
        (slot) => slot >= main.count && this.#helperAt(source, slot)?.effects.leavesProgram === true,
      );
    });
  }

  #inline(call: HelperCall, context: TwinContext): boolean {
    if (this.#input.withoutTwins === true) return false;
    const { name } = call.helper;
    const inlined = TWINS[name]?.(call, context) ?? false;
    if (inlined) this.#inlined.add(name);
    return inlined;
  }

  #indexOf(shared: ModuleFunction): number {
    const known = this.#shared.get(shared);
    if (known !== undefined) return known;
    const index = this.#encoder.declare(this.#encoder.type(shared.parameters, shared.results));
    this.#shared.set(shared, index);
    this.#encoder.define(index, shared.compile({ indexOf: (other) => this.#indexOf(other) }));
    return index;
  }

  /** (position in the table, frame, four arguments) → r0, or 2 where it is neither 0 nor 1 */
  #compileCallBack(): CodeWriter {
    const code = new CodeWriter(6);
    const result = code.local(I64);
    code.getGlobal(this.#budget).i32(CALL_COST).op(WASM.i32_sub).setGlobal(this.#budget);
    code.getGlobal(this.#budget).i32(0).op(WASM.i32_lt_s).if().i32(2).op(WASM.return).end();
    code.get(1);
    for (let argument = 2; argument < 6; argument++) code.get(argument).op(WASM.i64_extend_i32_u);
    code.i64(0).get(0).callIndirect(this.#programType).tee(result);
    code.i64(1).op(WASM.i64_gt_u).if().i32(2).op(WASM.return).end();
    return code.get(result).op(WASM.i32_wrap_i64);
  }

  /** (r1, r2) → r0 of the first entry, as it is. */
  #compileRunRaw(): number {
    const code = new CodeWriter(2);
    const { entries, budget, mayGoto } = this.#input;
    code.i32(budget).setGlobal(this.#budget);
    code.i32(mayGoto).setGlobal(this.#mayGoto);
    code.i32(STACK_BASE + STACK_SIZE);
    for (let argument = 0; argument < 2; argument++) code.get(argument).op(WASM.i64_extend_i32_u);
    for (let argument = 2; argument < 5; argument++) code.i64(0);
    const unit = this.#units.find(({ program }) => program === entries[0]?.program);
    code.call(unit!.functions.get(0)!);
    const index = this.#encoder.declare(this.#encoder.type([I32, I32], [I64]));
    this.#encoder.define(index, code);
    return index;
  }

  #needs(): BatchNeeds {
    const helpers = [...this.#helpers.values()];
    let packetLoads = false;
    let loops = false;
    let mayGoto = false;
    const fields = new Set<number>();
    for (const { source, facts } of this.#units) {
      for (const [slot, { pointer }] of facts.accesses) {
        if (pointer.kind === KIND.context) fields.add(source.instructions.offset[slot]!);
      }
      const { instructions } = source;
      for (let slot = 0; slot < instructions.count; slot++) {
        const opcode = instructions.opcode[slot]!;
        const mode = opcode & MODE_MASK;
        if ((opcode & CLASS_MASK) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND)) packetLoads = true;
        if (isMayGoto(opcode)) mayGoto = true;
        if (opcode === CALL && instructions.src[slot] === BPF_PSEUDO_CALL) loops = true;
        if (opcode === LDDW) slot++;
      }
      if (facts.functions.some(({ flow }) => flow.loopHeads.length > 0)) loops = true;
    }
    if (helpers.some((helper) => helper.arguments.includes('function'))) loops = true;
    const moves = helpers.some(({ effects }) => effects.packet === 'moved');
    // Addresses are then the interpreter's, which programs under test may leak.
    const inPlace = this.#input.distrustful !== true && !moves;
    const bounds = !inPlace || this.#looksAtBounds || packetLoads;
    return {
      bounds,
      metadata: bounds || fields.has(XDP_MD.dataMeta),
      device:
        bounds ||
        [XDP_MD.ingressIfindex, XDP_MD.rxQueueIndex, XDP_MD.egressIfindex].some((field) => fields.has(field)),
      redirects: helpers.some(({ effects }) => effects.redirects),
      socket: this.#units.some(({ source }) => looksAtSocket(source)),
      tailCalls: helpers.some(({ effects }) => effects.leavesProgram === true),
      ticks: (this.#input.machine.world.tick ?? 0n) !== 0n,
      budget: loops,
      mayGoto: mayGoto ? this.#input.mayGoto : undefined,
      inPlace,
    };
  }
}

/** Calls a program with nothing but its context. */
function callOf(index: number | undefined): (code: CodeWriter) => void {
  return (code) => {
    if (index === undefined) throw new Error('the program is no function of its own');
    code.i32(STACK_BASE + STACK_SIZE).i64(CONTEXT_BASE);
    for (let register = 2; register <= 5; register++) code.i64(0);
    code.call(index);
  };
}

/** (program, slot, frame): notes them and stops. */
function compileViolate(): CodeWriter {
  const code = new CodeWriter(3);
  code.storeWord(WASM_WORD.violationProgram, () => code.get(0));
  code.storeWord(WASM_WORD.violationSlot, () => code.get(1));
  code.storeWord(WASM_WORD.violationFrame, () => code.get(2));
  return code.op(WASM.unreachable);
}
