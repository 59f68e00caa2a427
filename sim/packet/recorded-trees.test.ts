/**
 * How headers of every protocol read: whole, cut short and damaged, alone and in each other. Recorded as text, which is
 * reviewed like code (`npx vitest run sim/packet/recorded-trees.test.ts -u` writes it anew), and as fingerprints of what is
 * too much to read.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changed, fingerprint } from '../../verify/test-support/recorded.ts';
import { headers } from './arbitrary.ts';
import { frame, type LayerStack, packet } from './build.ts';
import type { Protocol } from './declaration/protocol.ts';
import { difference } from './difference.ts';
import { followersOf, PROTOCOLS, type ProtocolName, protocols } from './protocols.ts';
import { decodeTree, treeToText } from './tree.ts';
import { layersOf } from './walk-layers.ts';

const DATA = Uint8Array.from({ length: 21 }, (_, index) => 0xe1 + 7 * index);
/** Headers of each protocol. */
const HEADERS = 6;

const keyOf = new Map(Object.entries(PROTOCOLS).map(([key, { name }]) => [name, key as ProtocolName]));

/** Protocols from the frame's first byte to this one; undefined where nothing carries it. */
function pathTo(name: string): readonly string[] | undefined {
  const paths = new Map<string, readonly string[]>([['ethernet', ['ethernet']]]);
  for (const [known, path] of paths)
    for (const next of followersOf(known)) if (!paths.has(next)) paths.set(next, [...path, next]);
  return paths.get(name);
}

function built(names: readonly string[], inner: Uint8Array): Uint8Array {
  let stack: LayerStack = packet;
  for (const name of names) {
    const key = keyOf.get(name);
    if (key === undefined) break;
    stack = stack[key]();
  }
  return frame(stack, inner);
}

const treeText = (bytes: Uint8Array, protocol?: string): string =>
  treeToText(decodeTree(bytes, 0, bytes.length, protocol));

/** Everything that a tree says, ranges of bytes, too. */
const treeLine = (bytes: Uint8Array, protocol?: string): string =>
  JSON.stringify(decodeTree(bytes, 0, bytes.length, protocol));

function* cutShort(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.subarray(0, length);
}

/** Headers as fast-check draws them, always the same. */
function drawn(protocol: Protocol): Uint8Array[] {
  const values = fc.sample(headers(protocol), { seed: 1982, numRuns: HEADERS });
  return values.map((value) => frame(protocol.encode(value as never), DATA));
}

function report(protocol: Protocol): string {
  const { name } = protocol;
  const bare = drawn(protocol);
  const path = pathTo(name);
  const whole = path === undefined ? undefined : built(path, DATA);
  const lines = bare.flatMap((bytes) => [
    ...[bytes, ...cutShort(bytes)].map((each) => treeLine(each, name)),
    ...Array.from(changed(bytes, 40), ([change, each]) => `${change} ${treeLine(each, name)}`),
  ]);
  const values = bare.flatMap((bytes) =>
    [bytes, ...cutShort(bytes)].map((each) => JSON.stringify(protocol.decode(each))),
  );
  const differences = bare.map((bytes, index) =>
    JSON.stringify(difference(bytes, bare[(index + 1) % bare.length]!, name)),
  );
  const carried =
    whole === undefined
      ? []
      : [whole, ...cutShort(whole), ...Array.from(changed(whole), ([, each]) => each)].map((each) =>
          treeLine(each),
        );
  const followers = followersOf(name).map((follower) => {
    const bytes = built([...(path ?? [name]), follower], DATA);
    const first = path === undefined ? name : 'ethernet';
    const layers = layersOf(bytes, 0, bytes.length, first).map((layer) => `${layer.name} ${layer.offset}`);
    return `  ${layers.join(', ')}: ${fingerprint(`${name} ${follower}`, [treeLine(bytes, first)])}`;
  });
  return [
    `headers: ${fingerprint(`${name} trees`, lines)}`,
    `values: ${fingerprint(`${name} values`, values)}`,
    `differences: ${fingerprint(`${name} differences`, differences)}`,
    `in a frame: ${fingerprint(`${name} in a frame`, carried)}`,
    'before others:',
    ...followers,
    '',
    ...bare.slice(0, 3).map((bytes) => `${treeText(bytes, name)}\n`),
    whole === undefined ? 'Nothing carries it.' : treeText(whole),
    '',
  ].join('\n');
}

describe.each(protocols.map((protocol) => ({ name: protocol.name, protocol })))(
  '$name',
  ({ name, protocol }) => {
    it('reads as recorded', async () => {
      await expect(report(protocol)).toMatchFileSnapshot(`recorded/${name}.txt`);
    }, 120_000);
  },
);
