/** A run in a process of its own, so that its memory can be told: `OBJECT FUNCTION ENGINES`. Prints JSON. */
import { readFileSync } from 'node:fs';
import { chooseEngines } from '../../cli/engines.ts';
import { verify } from '../../verify/run.ts';

const [path = '', name = '', engines = ''] = process.argv.slice(2);
const report = await verify({
  program: { name, object: new Uint8Array(readFileSync(path)), entries: [{ function: name, hook: 'xdp' }] },
  engines: chooseEngines(engines).engines,
  seed: 'large',
  // Three batches: the maps are brought back twice.
  runs: 5_000,
});
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
console.log(
  JSON.stringify({
    engines: report.engines.map(({ name: engine, status, reason }) => ({ name: engine, status, reason })),
    divergences: report.divergences.map(({ summary }) => summary),
    megabytes: maxRSS / 1024,
    seconds: (userCPUTime + systemCPUTime) / 1e6,
  }),
);
