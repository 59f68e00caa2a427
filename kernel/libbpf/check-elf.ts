/**
 * A look at an object before libbpf gets it. What libbpf says about a bad one names neither place nor
 * expectation.
 */
import { readElf } from '../../sim/ebpf/loader/elf.ts';
import { ObjectError } from '../../sim/ebpf/object-error.ts';
import { EngineError } from '../../sim/engines/engine.ts';

/**
 * @param file how messages call the object
 * @throws {EngineError} `input`: file, place, what was expected and what was there
 */
export function requireBpfElf(bytes: Uint8Array, file: string): void {
  try {
    readElf(bytes);
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    throw new EngineError('input', `${file}: ${error.message}`, {
      remedy: 'Use an object that was compiled with clang -target bpf.',
      cause: error,
    });
  }
}
