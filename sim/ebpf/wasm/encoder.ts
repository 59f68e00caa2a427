/**
 * Writes WebAssembly modules (WebAssembly core specification 2.0, §5): functions, one imported memory, one table,
 * exports. It checks nothing: `WebAssembly.Module` does.
 */
import { ByteWriter } from './byte-writer.ts';
import type { CodeWriter } from './code-writer.ts';
import { FUNCREF, I32, WASM } from './opcodes.ts';

const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  global: 6,
  export: 7,
  element: 9,
  code: 10,
} as const;

const KIND_FUNCTION = 0;
const KIND_MEMORY = 2;
const KIND_GLOBAL = 3;
const FUNCTION_TYPE = 0x60;

interface ImportedFunction {
  readonly module: string;
  readonly name: string;
  readonly type: number;
}

export class ModuleEncoder {
  readonly #types: string[] = [];
  readonly #typeBytes: number[][] = [];
  readonly #imports: ImportedFunction[] = [];
  /** Type of each function that the module defines. */
  readonly #functions: number[] = [];
  readonly #bodies: (Uint8Array | undefined)[] = [];
  readonly #exports: { readonly name: string; readonly kind: number; readonly index: number }[] = [];
  /** Initial values of the mutable i32 globals. */
  readonly #globals: number[] = [];
  #table: readonly number[] = [];

  /** The index of a function type; equal ones share it. */
  type(parameters: readonly number[], results: readonly number[]): number {
    const key = `${parameters.join()}:${results.join()}`;
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    this.#types.push(key);
    this.#typeBytes.push([FUNCTION_TYPE, parameters.length, ...parameters, results.length, ...results]);
    return this.#types.length - 1;
  }

  /** Imports a function; all imports come before the first `declare`. Returns the function's index. */
  importFunction(module: string, name: string, type: number): number {
    if (this.#functions.length > 0) throw new Error('imports come before functions');
    this.#imports.push({ module, name, type });
    return this.#imports.length - 1;
  }

  /** Reserves the index of a function whose body comes later. */
  declare(type: number): number {
    this.#functions.push(type);
    this.#bodies.push(undefined);
    return this.#imports.length + this.#functions.length - 1;
  }

  define(index: number, code: CodeWriter): void {
    this.#bodies[index - this.#imports.length] = code.body();
  }

  exportFunction(name: string, index: number): void {
    this.#exports.push({ name, kind: KIND_FUNCTION, index });
  }

  exportGlobal(name: string, index: number): void {
    this.#exports.push({ name, kind: KIND_GLOBAL, index });
  }

  /** A mutable i32; returns its index. */
  global(initial: number): number {
    this.#globals.push(initial);
    return this.#globals.length - 1;
  }

  /** The functions that indirect calls reach, by position. */
  set table(functions: readonly number[]) {
    this.#table = functions;
  }

  /** The module's bytes. The memory is imported as `machine.memory`. */
  encode(): Uint8Array {
    const out = new ByteWriter();
    out.append(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));

    section(out, SECTION.type, (body) => {
      body.unsigned(this.#typeBytes.length);
      for (const bytes of this.#typeBytes) body.append(Uint8Array.from(bytes));
    });
    section(out, SECTION.import, (body) => {
      body.unsigned(this.#imports.length + 1);
      for (const { module, name, type } of this.#imports) {
        body.name(module);
        body.name(name);
        body.byte(KIND_FUNCTION);
        body.unsigned(type);
      }
      body.name('machine');
      body.name('memory');
      body.byte(KIND_MEMORY);
      body.byte(0x00);
      body.unsigned(1);
    });
    section(out, SECTION.function, (body) => {
      body.unsigned(this.#functions.length);
      for (const type of this.#functions) body.unsigned(type);
    });
    section(out, SECTION.table, (body) => {
      body.unsigned(1);
      body.byte(FUNCREF);
      body.byte(0x00);
      body.unsigned(this.#table.length);
    });
    section(out, SECTION.global, (body) => {
      body.unsigned(this.#globals.length);
      for (const initial of this.#globals) {
        body.byte(I32);
        body.byte(0x01);
        body.byte(WASM.i32_const);
        body.signed(initial);
        body.byte(WASM.end);
      }
    });
    section(out, SECTION.export, (body) => {
      body.unsigned(this.#exports.length);
      for (const { name, kind, index } of this.#exports) {
        body.name(name);
        body.byte(kind);
        body.unsigned(index);
      }
    });
    section(out, SECTION.element, (body) => {
      body.unsigned(1);
      body.byte(0x00);
      body.byte(WASM.i32_const);
      body.signed(0);
      body.byte(WASM.end);
      body.unsigned(this.#table.length);
      for (const index of this.#table) body.unsigned(index);
    });
    section(out, SECTION.code, (body) => {
      body.unsigned(this.#bodies.length);
      for (const [index, bytes] of this.#bodies.entries()) {
        if (bytes === undefined) throw new Error(`function ${index} has no body`);
        body.unsigned(bytes.length);
        body.append(bytes);
      }
    });
    return out.bytes.slice();
  }
}

function section(out: ByteWriter, id: number, write: (body: ByteWriter) => void): void {
  const body = new ByteWriter();
  write(body);
  out.byte(id);
  out.unsigned(body.length);
  out.append(body.bytes);
}
