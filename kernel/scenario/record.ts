/**
 * Writes down what the kernel does in the scenarios that show its stack: `npx tsx kernel/scenario/record.ts`, as
 * root. With these recordings the simulated stack is held against Linux where there is no root, too.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { hopKey } from '../../sim/network/path.ts';
import { parseScenario } from '../../sim/network/scenario-json.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { runInKernel } from './run.ts';

const ROOT = new URL('../../', import.meta.url);

for (const name of ['stack', 'forwarding']) {
  const file = new URL(`corpus/scenarios/${name}.json`, ROOT);
  const scenario = parseScenario(readFileSync(file, 'utf8'), file.pathname);
  const { steps } = runInKernel(scenario, new Map());
  const recording = {
    kernel: release(),
    // Every wire crossing is a pair of hops with the same bytes: the first one says all.
    steps: steps.map(({ path }) =>
      path.flatMap((hop) => (hop.direction === 'out' ? [`${hopKey(hop)} ${toHex(hop.bytes)}`] : [])),
    ),
  };
  const text = `${JSON.stringify(recording, null, 2)}\n`;
  writeFileSync(new URL(`sim/network/test-support/${name}.kernel.json`, ROOT), text);
}
