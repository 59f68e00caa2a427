/**
 * Keys with which a program asks a trie of prefixes (BPF_MAP_TYPE_LPM_TRIE): a prefix longer than the map's keys, for which
 * `trie_lookup_elem` (kernel/bpf/lpm_trie.c) finds nothing whatever the map holds; and IPv4 addresses in the order of the machine,
 * of which the trie compares the host's part first. A map that is empty, or that the test filled itself, shows neither. Nor does it
 * show a length that counts bytes where it is one of bits.
 */
import { equal } from '../../sim/packet/bytes.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, isIp } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { askingPlaceOf, type CallRemark, type CallStep, lineOf, type TracedRun } from './call-remark.ts';

/** The length of the prefix, a number of the machine, in front of the data. */
const LENGTH = 4;
const ADDRESS = 4;
const ADDRESS_6 = 16;
/** One address may be another one's mirror image by chance, and one may be asked for by its first bits: so many different ones have to be. */
const NEEDED = 3;

/** Where the addresses are in an IPv4 header, and in one of IPv6. */
const ADDRESSES = [12, 16] as const;
const ADDRESSES_6 = [8, 24] as const;

export function trieKeys(run: TracedRun): CallRemark[] {
  const steps = run.trace.steps.filter(
    (step): step is CallStep => step.call?.key !== undefined && step.call.key.map.type === 'LPM_TRIE',
  );
  if (steps.length === 0) return [];
  const addresses = addressesOf(run.came);
  return steps.flatMap((step) => [...judgeLength(step, steps, addresses), ...judgeOrder(step, addresses)]);
}

function judgeLength(step: CallStep, all: readonly CallStep[], addresses: ReadonlySet<string>): CallRemark[] {
  const { bytes } = step.call.key!;
  const most = 8 * (bytes.length - LENGTH);
  const length = lengthOf(bytes);
  const place = `${askingPlaceOf(step)} prefix`;
  // A length that is right with other packets is one that a packet, or a map, may say.
  if (length <= most) return [{ place, ...(isOneOfSeveral(step, all) ? {} : inBytes(step, addresses)) }];
  return [
    {
      place,
      fault: {
        breach: {
          invariant: 'lookup/prefix-length',
          at: 0,
          size: 0,
          expected: `at most ${most} bits`,
          got: `${length} bits`,
          sentence: `${step.call.name} asks ${step.call.key!.map.name} for a prefix of ${length} bits, but its keys have ${most}: ${effectOn(step.call.name)}`,
        },
        ...lineOf(step),
      },
    },
  ];
}

/** Is the same trie asked for fewer or more bits of the same address? Then this is one length of several, as they are meant. */
function isOneOfSeveral(step: CallStep, all: readonly CallStep[]): boolean {
  const { bytes, map } = step.call.key!;
  return all.some(({ call }) => {
    const other = call.key!;
    return (
      other.map.name === map.name &&
      lengthOf(other.bytes) !== lengthOf(bytes) &&
      equal(other.bytes, LENGTH, bytes, LENGTH, bytes.length - LENGTH)
    );
  });
}

/** A whole address, of which as many bits are asked for as it has bytes: nobody asks for so few of one, packet after packet. */
function inBytes(step: CallStep, addresses: ReadonlySet<string>): Pick<CallRemark, 'fault'> {
  const { bytes, map } = step.call.key!;
  const data = bytes.subarray(LENGTH);
  const value = Buffer.from(data).toString('hex');
  if (step.call.name !== 'bpf_map_lookup_elem' || lengthOf(bytes) !== data.length || !addresses.has(value))
    return {};
  const bits = 8 * data.length;
  return {
    fault: {
      evidence: { value, needed: NEEDED },
      severity: 'warning',
      breach: {
        invariant: 'lookup/prefix-length',
        at: 0,
        size: 0,
        expected: `${bits} bits`,
        got: `${data.length} bits`,
        sentence: `${step.call.name} asks ${map.name} for the first ${data.length} bits of a whole address of ${data.length} bytes, which has ${bits}: the length counts bits, and no entry with a longer prefix is found`,
      },
      ...lineOf(step),
    },
  };
}

function effectOn(helper: string): string {
  return helper === 'bpf_map_lookup_elem' ? 'the lookup never finds anything' : 'the kernel refuses it';
}

/** An address alone in the key, as the packet has it or the other way round. */
function judgeOrder(step: CallStep, addresses: ReadonlySet<string>): CallRemark[] {
  const { bytes, map } = step.call.key!;
  if (bytes.length !== LENGTH + ADDRESS) return [];
  const data = bytes.subarray(LENGTH);
  const [value, turned] = [data, data.toReversed()].map((one) => Buffer.from(one).toString('hex'));
  if (value === turned) return [];
  const place = `${askingPlaceOf(step)} order`;
  if (addresses.has(value!)) return [{ place }];
  if (!addresses.has(turned!)) return [];
  return [
    {
      place,
      fault: {
        evidence: { value: value!, needed: NEEDED },
        breach: {
          invariant: 'lookup/prefix-order',
          at: 0,
          size: 0,
          expected: data.toReversed().join('.'),
          got: data.join('.'),
          sentence: `${step.call.name} asks ${map.name} with the address ${data.toReversed().join('.')} in the machine’s byte order: prefixes are compared from the first byte on, which is the address’s last`,
        },
        ...lineOf(step),
      },
    },
  ];
}

function lengthOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
}

/** Of all IP headers of a frame, in hex. */
function addressesOf(frame: Uint8Array): ReadonlySet<string> {
  const headers = new HeaderList();
  verifyChecksums(frame, 0, frame.length, headers);
  const found = new Set<string>();
  for (let row = 0; row < headers.count; row++) {
    const kind = headers.kind[row]!;
    if (!isIp(kind)) continue;
    const [offsets, size] = kind === HEADER.ipv4 ? [ADDRESSES, ADDRESS] : [ADDRESSES_6, ADDRESS_6];
    for (const offset of offsets) {
      const start = headers.start[row]! + offset;
      found.add(Buffer.from(frame.subarray(start, start + size)).toString('hex'));
    }
  }
  return found;
}
