#!/usr/bin/env node
'use strict';
const { readFileSync, writeSync } = require('node:fs');
const { join } = require('node:path');

/** Answers `--version` before anything is loaded. @returns whether that was what was asked */
function printVersion() {
  if (process.argv.length !== 3 || !/^(-V|--version)$/.test(process.argv[2])) return false;
  try {
    const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
    writeSync(1, `${version}\n`);
    return true;
  } catch {
    // The command knows how to report it.
    return false;
  }
}

if (!printVersion()) require('./load.cjs')('command');
