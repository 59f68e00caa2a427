/** `verify --coverage FILE`: what the packets reached of the C sources. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { packageFile } from '../../kernel/package-file.ts';
import { lcov } from '../../sim/ebpf/lcov.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { ProgramReport } from '../../verify/report.ts';

/**
 * A tracefile with one test for each program; headers that several of them include are in each, and genhtml adds
 * these up.
 */
export function coverageFile(programs: readonly Program[], reports: readonly ProgramReport[]): string {
  return reports
    .map(({ name, fullCoverage }) => {
      if (fullCoverage === undefined) return '';
      const path = pathsOf(programs.find((program) => program.name === name));
      return lcov(fullCoverage, { testName: name.replaceAll(/[^A-Za-z0-9_]/g, '_'), path });
    })
    .join('');
}

/**
 * Objects name their sources as the compiler was given them: mostly relative to a folder that they do not name. Looked
 * for here, in this package, and beside the object; what is in none of these keeps its name.
 */
function pathsOf(program: Program | undefined): (file: string) => string {
  const folders = ['.', packageFile('.')];
  if (program?.objectPath !== undefined) folders.push(dirname(program.objectPath));
  return (file) => {
    const found = folders.map((folder) => resolve(folder, file)).find((path) => existsSync(path));
    return found ?? file;
  };
}
