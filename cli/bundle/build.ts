/**
 * `npm run build`, after tsc: bundles the command into `dist/bin/`, so that it starts in a fraction of the time that some
 * four hundred modules take. Runs as what tsc made of it. The library and its types stay what tsc emitted.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { fastScanModule } from '../../verify/captures/fast-scan-module.ts';

const OUT = packageFile('dist/bin');

/** Pure JavaScript that every start needs: it goes into the bundle. All other packages stay where npm installed them. */
const BUNDLED = ['commander', 'fzstd', 'jsonc-parser', 'valibot'];

const { BY_THEMSELVES } = createRequire(import.meta.url)(packageFile('cli/bundle/load.cjs')) as {
  readonly BY_THEMSELVES: readonly string[];
};

const VERIFY = ['verify', 'icmp_echo', '--runs', '500', '--seed', '1'];

/** A pcap file with one packet, made for the run. */
const SMALL_CAPTURE = join(OUT, 'small.pcap');

/** Both formats, and packets with faults. */
const CHECKSUM = [
  'checksum',
  'corpus/captures/tcp.pcapng',
  'corpus/packets/layer_coop.pcapng',
  SMALL_CAPTURE,
];

/**
 * Runs of the command in which V8 compiles what a usual start needs: of a worker process, of the bundle with all commands,
 * and of the commands by themselves.
 */
const USUAL: readonly (readonly [record: string, ...args: string[]])[] = [
  ['verifyWorker', ...VERIFY, '--workers', '1'],
  ['command', ...VERIFY],
  ['verify', ...VERIFY],
  ['checksum', ...CHECKSUM],
];

/**
 * What stands in the place of names that a script has not, or that take too long: for the first `performance.now()` Node
 * loads ten modules. Both are milliseconds of a clock that only goes forward.
 */
const GLOBALS =
  "const __bundleUrl = require('node:url').pathToFileURL(__filename).href, __now = () => process.uptime() * 1000;";

const COMMAND_REGISTER = /cli[\\/]commands[\\/]index\.ts$/;
const COMMAND_LINE = /^ {2}(\w+): async \(\) =>.*$/gm;

/** Modules of Node's own that it has loaded by the time a script runs. */
const LOADED_ANYWAY = new Set(['buffer', 'events', 'fs', 'module', 'os', 'path', 'url', 'util', 'vm']);

/**
 * Loads Node's other modules when something of theirs is first used: an import of `node:zlib` takes a millisecond, whether
 * anything is unpacked or not. What stands in its place has those names alone that sources import: each costs time, too.
 */
const LATE_BUILT_INS: Plugin = {
  name: 'late-built-ins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, namespace, kind }) => {
      if (namespace === 'late' || LOADED_ANYWAY.has(path.slice('node:'.length))) return undefined;
      // Whoever takes the module whole may use any of its names.
      return { path, namespace: 'late', pluginData: kind === 'import-statement', suffix: `?${kind}` };
    });
    onLoad({ filter: /./, namespace: 'late' }, ({ path, pluginData }) => {
      const names = pluginData ? importedFrom(path) : Object.keys(createRequire(import.meta.url)(path));
      const getters = names.map((name) => `get ${name}() { return loaded().${name}; }`);
      return {
        contents: `let module_; const loaded = () => (module_ ??= require('${path}'));\nmodule.exports = { ${getters.join(', ')} };`,
        loader: 'js',
      };
    });
  },
};

/** What the sources import of one of Node's modules. */
function importedFrom(path: string): string[] {
  const names = new Set<string>();
  for (const text of sources()) {
    for (const [, list = ''] of text.matchAll(new RegExp(`import \\{([^}]*)\\} from '${path}'`, 'g'))) {
      for (const one of list.split(',')) {
        const name = one.trim().split(' as ')[0]!;
        if (name !== '' && !name.startsWith('type ')) names.add(name);
      }
    }
  }
  return [...names];
}

let sourceTexts: readonly string[] | undefined;

/** All that can be bundled of ours. */
function sources(): readonly string[] {
  sourceTexts ??= ['cli', 'corpus', 'kernel', 'sim', 'verify', 'bpf'].flatMap((folder) =>
    readdirSync(packageFile(folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(packageFile(join(folder, name)), 'utf8')),
  );
  return sourceTexts;
}

/** Of jsonc-parser only the parser: tables of its formatter, which nobody here asks, take longer to make than a world to read. */
const WITHOUT_FORMATTER: Plugin = {
  name: 'without-formatter',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /jsonc-parser|impl/ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === 'asked' || !`${importer} ${path}`.includes('jsonc-parser')) return undefined;
      const found = await resolve(path, { kind, importer, resolveDir, pluginData: 'asked' });
      return { ...found, sideEffects: false };
    });
  },
};

const SCAN_MODULE = /verify[\\/]captures[\\/]fast-scan-module\.ts$/;

/** The WebAssembly module of `checksum` as bytes: what writes it takes as long as looking through a capture of ten megabytes. */
const WRITTEN_SCAN: Plugin = {
  name: 'written-scan',
  setup({ onLoad }) {
    onLoad({ filter: SCAN_MODULE }, () => {
      const bytes = Buffer.from(fastScanModule()).toString('base64');
      return {
        contents: `export const fastScanModule = () => new Uint8Array(Buffer.from('${bytes}', 'base64'));`,
        loader: 'js',
      };
    });
  },
};

/** Leaves one command in the register of commands. */
function onlyCommand(name: string): Plugin {
  return {
    name: 'only-command',
    setup({ onLoad }) {
      onLoad({ filter: COMMAND_REGISTER }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replaceAll(COMMAND_LINE, (line, one) =>
          one === name ? line : '',
        ),
        loader: 'ts',
      }));
    },
  };
}

/** Writes one script with all modules that the entry reaches, and its source map. */
async function bundle(entry: string, file: string, plugins: Plugin[] = []): Promise<void> {
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(packageFile('package.json'), 'utf8'),
  ) as Record<string, Record<string, string>>;
  const packages = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  const out = join(OUT, file);
  await build({
    absWorkingDir: packageFile('.'),
    entryPoints: [entry],
    outfile: out,
    bundle: true,
    // V8's compiled code can be given for scripts, not for ES modules.
    format: 'cjs',
    platform: 'node',
    // jsonc-parser's CommonJS form requires its parts by names that no bundler sees.
    mainFields: ['module', 'main'],
    target: 'node20',
    external: packages.filter((name) => !BUNDLED.includes(name)),
    define: { 'import.meta.url': '__bundleUrl', 'performance.now': '__now' },
    // Like the wrapper that Node puts around CommonJS modules, on the first line, for the source map's sake.
    banner: {
      js: `(function (exports, require, module, __filename, obtain) { 'use strict'; ${GLOBALS}`,
    },
    footer: { js: '})' },
    charset: 'ascii',
    // A quarter of the command's time before it does anything is reading. What people see of it is in terms of the sources.
    minify: true,
    lineLimit: 200,
    sourcemap: 'external',
    sourcesContent: false,
    logLevel: 'warning',
    plugins: [LATE_BUILT_INS, WRITTEN_SCAN, WITHOUT_FORMATTER, ...plugins],
  });
  // Where a package or a user's module is imported: see load.cjs. What imports our own modules is gone. As many letters, for the source map.
  writeFileSync(out, readFileSync(out, 'latin1').replaceAll('await import(', 'await obtain('));
}

async function bundleAll(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  await bundle('cli/bundle/entry.ts', 'bundle.cjs');
  // `checksum` needs a quarter of the code, of which reading takes as long as a capture of 30 MB.
  for (const name of BY_THEMSELVES)
    await bundle(`cli/bundle/${name}-entry.ts`, `${name}-bundle.cjs`, [onlyCommand(name)]);
  for (const name of ['xdpsim.cjs', 'verify-worker.cjs', 'load.cjs']) {
    copyFileSync(packageFile(`cli/bundle/${name}`), join(OUT, name));
  }
  chmodSync(join(OUT, 'xdpsim.cjs'), 0o755);
}

/** Without it the command only starts more slowly: nothing here may make a build fail. */
function recordCompiled(): void {
  const capture = new PcapEncoder();
  capture.packet(new Uint8Array(60), 0, 60, 0, 0);
  writeFileSync(SMALL_CAPTURE, capture.take());
  for (const [record, ...args] of USUAL) {
    const env = { ...process.env, XDPSIM_RECORD_COMPILED: record };
    spawnSync(process.execPath, [join(OUT, 'xdpsim.cjs'), ...args], { env, cwd: packageFile('.') });
  }
  rmSync(SMALL_CAPTURE);
}

await bundleAll();
recordCompiled();
writeFileSync(packageFile('dist/.built'), String(Date.now()));
