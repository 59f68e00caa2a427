/**
 * What a stimulus says beside its frame, as a comment of the packet in a pcapng file: one JSON object with only
 * the fields that differ from their defaults, `{"metadata":"00000001","ingressIfindex":3}`.
 */
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';

/** How our comments begin, in a packet or a section; any other comment is for people. */
export const JSON_OBJECT_START = '{';

/** The comments of one packet of a batch; undefined where all is default. */
export function stimulusComment(batch: PacketBatch, index: number): string[] | undefined {
  if (
    batch.metaLength[index] === 0 &&
    batch.ingressIfindex[index] === DEFAULT_INGRESS_IFINDEX &&
    batch.rxQueueIndex[index] === 0 &&
    batch.entry[index] === 0
  ) {
    return undefined;
  }
  return stimulusComments(batch.stimulus(index));
}

/** The comments of one stimulus; undefined where all is default. */
export function stimulusComments(stimulus: Stimulus): string[] | undefined {
  const { metadata, ingressIfindex, rxQueueIndex, entry } = stimulus;
  const fields: Record<string, unknown> = {};
  if (metadata !== undefined && metadata.length > 0) fields.metadata = Buffer.from(metadata).toString('hex');
  if (ingressIfindex !== undefined && ingressIfindex !== DEFAULT_INGRESS_IFINDEX) {
    fields.ingressIfindex = ingressIfindex;
  }
  if (rxQueueIndex !== undefined && rxQueueIndex !== 0) fields.rxQueueIndex = rxQueueIndex;
  if (entry !== undefined && entry !== 0) fields.entry = entry;
  return Object.keys(fields).length === 0 ? undefined : [JSON.stringify(fields)];
}

/**
 * The stimulus that a packet and its comments describe. Comments that do not begin with `{` are passed over: they
 * are for people. Fields with default values are absent.
 * @throws {TypeError} saying what is wrong with a comment that does
 */
export function stimulusFromComments(packet: Uint8Array, comments: readonly string[]): Stimulus {
  const comment = comments.find((text) => text.startsWith(JSON_OBJECT_START));
  if (comment === undefined) return { packet };
  const fields = parseObject(comment);
  const stimulus: { -readonly [Field in keyof Stimulus]: Stimulus[Field] } = { packet };
  for (const [name, value] of Object.entries(fields)) {
    switch (name) {
      case 'metadata':
        stimulus.metadata = hexBytes(name, value);
        break;
      case 'ingressIfindex':
      case 'rxQueueIndex':
        stimulus[name] = integer(name, value, 0xffff_ffff);
        break;
      case 'entry':
        stimulus.entry = integer(name, value, 0xff);
        break;
      default:
        throw new TypeError(`the unknown field ${JSON.stringify(name)}`);
    }
  }
  return stimulus;
}

/**
 * JSON that must be an object.
 * @throws {TypeError} in the words "found …"
 */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TypeError(`what is no JSON (${(error as Error).message})`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new TypeError('JSON that is no object');
  }
  return value as Readonly<Record<string, unknown>>;
}

function hexBytes(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string' || value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) {
    throw new TypeError(`${JSON.stringify(value)} as ${name}, which is hexadecimal bytes`);
  }
  return new Uint8Array(Buffer.from(value, 'hex'));
}

function integer(name: string, value: unknown, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > maximum) {
    throw new TypeError(`${JSON.stringify(value)} as ${name}, which is an integer from 0 to ${maximum}`);
  }
  return value;
}
