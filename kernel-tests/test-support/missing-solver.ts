/** Loaded before others: makes Node not find the package z3-solver, as where nobody has installed it. */
import { register } from 'node:module';

const HOOKS = `export function resolve(specifier, context, next) {
  if (specifier !== 'z3-solver') return next(specifier, context);
  throw Object.assign(new Error("Cannot find package 'z3-solver'"), { code: 'ERR_MODULE_NOT_FOUND' });
}`;

register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
