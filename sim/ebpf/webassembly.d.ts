/**
 * The part of the WebAssembly interface that the machine uses. Browsers and Node have it; TypeScript describes it
 * in `lib.dom` only, which would bring a whole browser into `sim/`.
 */
declare namespace WebAssembly {
  interface MemoryDescriptor {
    /** Pages of 64 KiB. */
    readonly initial: number;
    readonly maximum?: number;
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
    /** Adds pages, detaches the old buffer, returns the former number of pages. @throws {RangeError} beyond the maximum */
    grow(pages: number): number;
  }

  interface TableDescriptor {
    readonly element: 'anyfunc';
    readonly initial: number;
    readonly maximum?: number;
  }

  class Table {
    constructor(descriptor: TableDescriptor);
    readonly length: number;
    get(index: number): ((...args: unknown[]) => unknown) | null;
    set(index: number, value: ((...args: never[]) => unknown) | null): void;
  }

  class Global {
    constructor(descriptor: { readonly value: 'i32' | 'i64'; readonly mutable?: boolean }, value?: unknown);
    value: unknown;
  }

  class Module {
    /** Compiles at once. @throws {CompileError} */
    constructor(bytes: Uint8Array);
  }

  type ImportValue = Memory | Table | Global | ((...args: never[]) => unknown);
  type Imports = Readonly<Record<string, Readonly<Record<string, ImportValue>>>>;

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Readonly<Record<string, unknown>>;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function validate(bytes: Uint8Array): boolean;
  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}
