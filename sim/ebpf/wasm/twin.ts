/**
 * Helpers as WebAssembly, since a call of JavaScript costs more than a packet. The twin of a helper stands beside it:
 * `helpers/map-helpers.ts`, `helpers/map-helpers.wasm.ts`; `helpers/twins.ts` is their register.
 */
import type { MachineOptions } from '../machine.ts';
import type { CodeWriter } from './code-writer.ts';
import type { HelperCall } from './compile-helper.ts';

/** A function of the module that twins call; made when the first of them asks for it. */
export interface ModuleFunction {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  readonly compile: (context: Pick<TwinContext, 'indexOf'>) => CodeWriter;
}

/** What a twin needs to know of the module around it. */
export interface TwinContext {
  readonly hook: 'xdp' | 'tc';
  readonly options: MachineOptions;
  /** WebAssembly's index of a function that twins share. */
  readonly indexOf: (shared: ModuleFunction) => number;
  /** WebAssembly's index of the function of this program that starts at a slot. */
  readonly functionAt: (start: number) => number;
  /** Type of programs' functions, and the global that holds the budget. */
  readonly programType: number;
  readonly budget: number;
  /** Address of the counter of runs that end at a slot. */
  readonly leftCounter: (slot: number) => number;
  /** First position of the table where programs are, numbered as the object numbers them. */
  readonly programTable: number;
}

/**
 * Compiles a call whose arguments have been checked.
 * @returns false, and writes nothing, where the imported function is to be called
 */
export type Twin = (call: HelperCall, context: TwinContext) => boolean;

/** By the names of helpers. */
export type Twins = Readonly<Record<string, Twin>>;
