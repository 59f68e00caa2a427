/** The C programs that the benchmarks measure against: compiled when they are needed, gone with the process. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileBpf, compilerProblem } from '../../bpf/compile.ts';
import { requireOwnEnd } from '../../bpf/tool-ended.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { packageFile } from '../package-file.ts';

/**
 * Compiles `kernel/bench/<name>.c` with the system's compiler.
 * @param libraries without `-l`
 * @returns the path of the executable, in `directory`
 * @throws {EngineError} `environment`, where the compiler or a library is missing
 */
export function compileC(name: string, directory: string, libraries: readonly string[] = ['bpf']): string {
  const source = packageFile(`kernel/bench/${name}.c`);
  const executable = join(directory, name);
  const cc = spawnSync(
    'cc',
    ['-O2', '-Wall', '-o', executable, source, ...libraries.map((library) => `-l${library}`)],
    { encoding: 'utf8' },
  );
  requireOwnEnd('cc', cc.signal);
  if (cc.status === 0) return executable;
  const missing = (cc.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  throw new EngineError(
    'environment',
    missing ? 'there is no C compiler' : `${name}.c does not compile here`,
    {
      remedy: 'apt-get install gcc libc6-dev libbpf-dev',
      log: cc.stderr ?? '',
    },
  );
}

/**
 * Compiles `kernel/bench/<name>.bpf.c` and returns the object's bytes.
 * @throws {EngineError} `environment`, where clang is missing
 */
export function compileBenchProgram(name: string, directory: string): Uint8Array {
  const problem = compilerProblem();
  if (problem !== undefined) {
    throw new EngineError('environment', problem, { remedy: 'apt-get install clang-14 llvm-14 libbpf-dev' });
  }
  const object = join(directory, `${name}.o`);
  compileBpf(`kernel/bench/${name}.bpf.c`, object, { root: packageFile('.') });
  return new Uint8Array(readFileSync(object));
}
