/** Where the package's own files lie, run from its sources or from dist/. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let directory = dirname(fileURLToPath(import.meta.url));
// The sources lie one folder below the package, dist/cli two.
while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);

/** The absolute path of a file named relative to the package: `bpf/built/icmp_echo.o`. */
export function packageFile(relative: string): string {
  return join(directory, relative);
}
