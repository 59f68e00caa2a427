/** What user modules import as `xdpsim`: the package that runs, whether or not one is installed in their folder. */
import { existsSync } from 'node:fs';
import { Module, register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { packageFile } from '../../kernel/package-file.ts';

const NAME = 'xdpsim';

/** For `import`: it runs in a thread of its own. */
const HOOK = `
let own;
export const initialize = (url) => { own = url; };
export const resolve = (name, context, next) =>
  name === '${NAME}' ? { url: own, format: 'module', shortCircuit: true } : next(name, context);
`;

let isDone = false;

/** To be called before modules are imported. */
export function provideOwnPackage(): void {
  if (isDone) return;
  isDone = true;
  const library = packageFile('dist/cli/library.js');
  if (!existsSync(library)) return;
  const { href } = pathToFileURL(library);
  requireOwn(library);
  register(`data:text/javascript,${encodeURIComponent(HOOK)}`, { data: href });
}

type ResolveFilename = (request: string, ...rest: readonly unknown[]) => string;

/** `require`, which is how imports of TypeScript in CommonJS packages end, too. */
function requireOwn(library: string): void {
  const loader = Module as unknown as { _resolveFilename: ResolveFilename };
  const before = loader._resolveFilename;
  loader._resolveFilename = function resolveOwn(this: unknown, request, ...rest) {
    return request === NAME ? library : before.call(this, request, ...rest);
  };
}
