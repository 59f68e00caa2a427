/**
 * Loaded into a command under attack (`node --import`): ends it by SIGKILL right after it has changed something outside
 * of itself for the n-th time, so that every state between two changes is met, however short it lasts.
 */
import child from 'node:child_process';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

let left = Number(process.env.XDPSIM_ATTACK_STEP);

const FILES = [
  'linkSync',
  'mkdirSync',
  'renameSync',
  'rmdirSync',
  'rmSync',
  'symlinkSync',
  'unlinkSync',
  'writeFileSync',
  'writeSync',
];
const CALLS = /attach|detach|mount|pin|unshare|_(load|update_elem|delete_elem)/;

function counted(original) {
  function step(...args) {
    try {
      return original.apply(this, args);
    } finally {
      if (--left === 0) process.kill(process.pid, 'SIGKILL');
    }
  }
  return Object.assign(step, original);
}

for (const name of FILES) fs[name] = counted(fs[name]);
child.spawnSync = counted(child.spawnSync);
syncBuiltinESMExports();

const koffi = createRequire(import.meta.url)('koffi');
const { load } = koffi;
koffi.load = (...args) => {
  const library = load(...args);
  return new Proxy(library, {
    get(target, key) {
      const value = target[key];
      if (key !== 'func') return typeof value === 'function' ? value.bind(target) : value;
      return (name, ...types) => {
        const made = value.call(target, name, ...types);
        return CALLS.test(name) ? counted(made) : made;
      };
    },
  });
};
