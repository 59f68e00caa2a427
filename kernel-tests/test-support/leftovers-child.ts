/**
 * A run of its own for `leftovers.test.ts`: makes a namespace with a pair of devices and a temporary directory,
 * prints the names, and ends in the way that its argument says.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns } from '../../kernel/network/netns.ts';
import { makeTemporaryDirectory } from '../../kernel/process/leftovers.ts';

make(process.argv[2]);

function make(how: string | undefined): void {
  const netns = createNetns();
  netns.ip(['link add name left type veth peer name right']);
  const directory = makeTemporaryDirectory().path;
  writeFileSync(join(directory, 'file'), 'left behind');
  process.stdout.write(`${JSON.stringify({ namespace: netns.name, path: netns.path, directory })}\n`);

  switch (how) {
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
}
