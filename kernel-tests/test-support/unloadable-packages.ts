/**
 * Loaded before others, for the suites that must do without `cap` and `raw-socket`: makes Node refuse both, as it does
 * where they were built for another of its versions.
 */
import Module from 'node:module';

type Load = (request: string, ...rest: unknown[]) => unknown;

const internal = Module as unknown as { _load: Load };
const load = internal._load;
internal._load = function (request: string, ...rest: unknown[]): unknown {
  if (request === 'cap' || request === 'raw-socket') {
    throw new Error(
      `The module '/node_modules/${request}/build/Release/${request}.node'\nwas compiled against a different Node.js ` +
        `version using\nNODE_MODULE_VERSION 93. This version of Node.js requires\nNODE_MODULE_VERSION ${process.versions.modules}.`,
    );
  }
  return load.call(this, request, ...rest);
};
