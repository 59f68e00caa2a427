/**
 * A run of its own for `leftovers.test.ts`: makes a namespace with a pair of devices and a temporary directory,
 * prints the names, and ends in the way that its argument says.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { createNetns } from '../../kernel/network/netns.ts';
import { makeTemporaryDirectory, removeOwnOnExit } from '../../kernel/process/leftovers.ts';

const how = process.argv[2];
if (how === 'worker' && isMainThread) {
  // All that is made, a worker thread makes; it never comes to its own end.
  removeOwnOnExit();
  const script = JSON.stringify(import.meta.url);
  const start = `import(${script});`;
  const worker = new Worker(start, { eval: true, argv: [how] });
  worker.on('message', (line: string) => {
    process.stdout.write(line);
    void worker.terminate();
  });
} else {
  make();
}

function make(): void {
  const netns = createNetns();
  netns.ip(['link add name left type veth peer name right']);
  const directory = makeTemporaryDirectory().path;
  writeFileSync(join(directory, 'file'), 'left behind');
  const line = `${JSON.stringify({ namespace: netns.name, path: netns.path, directory })}\n`;
  if (isMainThread) process.stdout.write(line);
  else parentPort!.postMessage(line);

  switch (how) {
    case 'return':
      break;
    case 'throw':
      throw new Error('an exception that nobody catches');
    case 'exit':
      process.exit(3);
      break;
    case 'wait':
    case 'worker':
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
