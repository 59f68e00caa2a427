/**
 * Which way a run went through the program, in lines of C: its branches and where each of them led, the lines that it
 * came through, and who changed what besides the packet.
 */
import type { SourceLine } from '../bpf-object.ts';
import { helperName } from '../helper-names.ts';
import { HELPERS } from '../helpers/index.ts';
import { BPF_PSEUDO_CALL, CALL, EXIT, isConditionalJump, storeSize } from '../instruction.ts';
import { sourceAt } from '../object.ts';
import type { CodePlace } from './code-place.ts';
import { MapWrites } from './map-writes.ts';
import { CONTEXT_REGION, KIND } from './provenance.ts';
import type { LoadedProgram, State } from './state.ts';
import type { Tracer } from './tracer.ts';

export type { CodePlace } from './code-place.ts';

export interface PathBranch extends CodePlace {
  /** The first other line of C that the run came to behind it; undefined where it ended before. */
  arm: string | undefined;
}

/** Longer runs are loops, whose first rounds tell what the others do. */
const MAX_BRANCHES = 4096;
const MAX_LINES = 4096;

/** Give it to `Interpreter.tracer` for one run. */
export class RunPath implements Tracer {
  /** Conditional jumps, in the order in which they ran. */
  readonly branches: PathBranch[] = [];
  /** Lines that ran, each once, in the order in which they were first met. */
  readonly lines: Set<SourceLine> = new Set();
  /** A number that is the same for runs that went the same way. */
  signature = 0x811c9dc5;
  /** Where r0 was set last before the program ended: the line that decides the action. */
  result: CodePlace | undefined;
  /** Who wrote what of each map last. */
  readonly mapWrites: MapWrites = new MapWrites();
  /** The last store to the context. */
  contextWrite: CodePlace | undefined;
  /** The last call of each helper, by its name. */
  readonly calls: Map<string, CodePlace> = new Map();
  /** Helpers whose result chance decides, in the order in which they were called. */
  readonly chance: number[] = [];
  #jumped = false;
  #open: PathBranch[] = [];

  before(state: State, pc: number): void {
    const { program } = state;
    const { instructions } = program.source;
    const opcode = instructions.opcode[pc]!;
    if (this.#jumped) {
      this.signature = Math.imul(this.signature ^ (pc + program.index * 65_537), 0x01000193) >>> 0;
      this.#jumped = false;
    }
    const line = sourceAt(program.source, pc);
    if (line !== undefined) this.#enter(line);
    if (isConditionalJump(opcode)) {
      this.#jumped = true;
      if (this.branches.length < MAX_BRANCHES) {
        const branch = { ...placeAt(program, pc, line), arm: undefined };
        this.branches.push(branch);
        this.#open.push(branch);
      }
      return;
    }
    const size = storeSize(opcode);
    if (size !== undefined) this.#store(state, pc, size, line);
    else if (opcode === CALL) this.#call(state, pc, line);
    else if (state.frame === 0 && instructions.dst[pc] === 0 && opcode !== EXIT) {
      this.result = placeAt(program, pc, line);
    }
  }

  #enter(line: SourceLine): void {
    if (this.lines.size < MAX_LINES) this.lines.add(line);
    if (this.#open.length === 0) return;
    const text = keyOf(line);
    this.#open = this.#open.filter((branch) => {
      if (branch.source !== undefined && keyOf(branch.source) === text) return true;
      branch.arm = text;
      return false;
    });
  }

  #store(state: State, pc: number, size: number, line: SourceLine | undefined): void {
    const { provenance, machine, program } = state;
    const { dst, offset } = program.source.instructions;
    const register = dst[pc]!;
    const tag = state.tag[register]!;
    if (tag === CONTEXT_REGION) this.contextWrite = placeAt(program, pc, line);
    if (tag > 0 && provenance.kind[tag] === KIND.value) {
      const name = machine.maps[provenance.detail[tag]!]?.name;
      if (name === undefined) return;
      const from = state.lo[register]! + offset[pc]! - provenance.lowest[tag]!;
      this.mapWrites.store(name, from, size, placeAt(program, pc, line));
    }
  }

  #call(state: State, pc: number, line: SourceLine | undefined): void {
    const { provenance, machine, program } = state;
    const { instructions } = program.source;
    const place = placeAt(program, pc, line);
    if (state.frame === 0) this.result = place;
    if (instructions.src[pc] === BPF_PSEUDO_CALL) return;
    const number = instructions.imm[pc]!;
    if (instructions.src[pc] === 0) {
      this.calls.set(helperName(number) ?? `#${number}`, place);
      if (HELPERS.get(number)?.effects.dependsOn.includes('chance') === true) this.chance.push(number);
    }
    const tag = state.tag[1]!;
    if (tag <= 0 || provenance.kind[tag] !== KIND.map || number === MAP_LOOKUP) return;
    const name = machine.maps[provenance.detail[tag]!]?.name;
    if (name !== undefined) this.mapWrites.call(name, place);
  }
}

/** `bpf_map_lookup_elem` changes nothing (what it returns, a store may). */
const MAP_LOOKUP = 1;

function placeAt(program: LoadedProgram, pc: number, source: SourceLine | undefined): CodePlace {
  return { program: program.source.function, instruction: pc, source };
}

/** A line as it reads: the same in two builds of one source, wherever it stands in the file. */
export function keyOf({ text, file, line }: SourceLine): string {
  return text === '' ? `${file}:${line}` : text.replaceAll(/\s+/g, ' ');
}
