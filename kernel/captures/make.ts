/**
 * Makes the captures in `corpus/captures/` and the page that describes them: real traffic of this machine's kernel,
 * in network namespaces of this run's own. As root: `npx tsx kernel/captures/make.ts [NAME…]`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { FrameTap } from '../frames/frames.ts';
import { RECIPES, type Recipe } from './recipes.ts';
import { Topology } from './topology.ts';

const FOLDER = fileURLToPath(new URL('../../corpus/captures/', import.meta.url));

const HEAD = `# Captures

Real traffic, made by the kernel's own stack and the usual tools (iputils' \`ping\`, Node's sockets) in three network
namespaces of the project's own: \`left\` — \`router\` — \`right\`. The frames are those on \`left\`'s wire, in both
directions, in order; offloads are off, so every checksum is finished. Times are not kept: frames stand one
microsecond apart.

Made by \`npx tsx kernel/captures/make.ts\` (as root); this page, too. To make one anew: \`… make.ts NAME\`.

| file | what is in it, and how it was made |
|---|---|
`;

await main(process.argv.slice(2));

async function main(names: readonly string[]): Promise<void> {
  const wanted = names.length === 0 ? RECIPES : RECIPES.filter(({ name }) => names.includes(name));
  for (const recipe of wanted) {
    const frames = await capture(recipe);
    const written = await writeCapture(join(FOLDER, `${recipe.name}.pcapng`), [frames]);
    process.stdout.write(`${recipe.name}: ${written} frames\n`);
  }
  const rows = RECIPES.map(({ name, how }) => `| \`${name}.pcapng\` | ${how} |\n`);
  writeFileSync(join(FOLDER, 'README.md'), HEAD + rows.join(''));
}

async function capture(recipe: Recipe): Promise<PacketBatch> {
  const net = new Topology();
  try {
    // What a device says when it comes up belongs to one recipe only, which makes it come up once more.
    await quiet(net.tap, 1500);
    net.tap.forget();
    await recipe.make(net);
    await quiet(net.tap, 300);
    if (net.tap.overflowed) throw new Error(`${recipe.name}: more frames than the tap keeps`);
    return framesOf(net.tap);
  } finally {
    net.close();
  }
}

/** Until nothing has come for a while: this is a recording, and what comes later does not belong to it. */
async function quiet(tap: FrameTap, milliseconds: number): Promise<void> {
  for (let before = -1; before !== tap.count; ) {
    before = tap.count;
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}

function framesOf(tap: FrameTap): PacketBatch {
  const batch = new PacketBatch(tap.count);
  let at = 0;
  for (let index = 0; index < tap.count; index++) {
    const length = tap.length[index]!;
    batch.push({ packet: tap.bytes.subarray(at, at + length) });
    at += length;
  }
  return batch;
}
