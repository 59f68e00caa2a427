/**
 * A run of its own for `leftovers.test.ts`: makes a namespace with a pair of devices and a temporary directory,
 * prints the names, and ends in the way that its argument says.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNetns } from '../kernel/netns.ts';
import { nextRunName } from '../kernel/run-name.ts';

const netns = createNetns();
netns.ip(['link add name left type veth peer name right']);
const directory = join(tmpdir(), nextRunName());
mkdirSync(directory);
writeFileSync(join(directory, 'file'), 'left behind');
process.stdout.write(`${JSON.stringify({ namespace: netns.name, path: netns.path, directory })}\n`);

switch (process.argv[2]) {
  case 'return':
    break;
  case 'throw':
    throw new Error('an exception that nobody catches');
  case 'exit':
    process.exit(3);
    break;
  case 'wait':
    // Until a signal ends it.
    setInterval(() => {}, 1 << 30);
    break;
  case 'listen':
    // As a command that finishes its report on Ctrl-C.
    process.on('SIGINT', () => process.exit(1));
    setInterval(() => {}, 1 << 30);
    break;
}
