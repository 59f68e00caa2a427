/** Words of 16 bits that headers keep flags in, and the masks that programs take them apart with. */
import { layersOf } from '../../sim/packet/walk-layers.ts';
import { read16 } from '../oracle/announcement.ts';

/** What a header keeps in such a word. */
interface WordMeaning {
  readonly name: string;
  /** What programs look for in it. */
  readonly masks: readonly number[];
  /** Those that somebody may mean as they are once they are swapped. */
  readonly unsure?: readonly number[];
  /** From where bits are set or cleared: the packet's own value, or 0, which some headers cannot have. */
  readonly from: readonly ('own' | 'zero')[];
}

/** A word in a packet. */
export interface FlagWord extends WordMeaning {
  readonly at: number;
}

/** RFC 791 §3.1: the offset, with "more fragments", each flag, and all but one of them. */
const FRAGMENT_4: WordMeaning = {
  name: 'flags and fragment offset',
  masks: [0x1fff, 0x3fff, 0x2000, 0x4000, 0x8000, 0xbfff, 0x9fff, 0xe000, 0x6000, 0x7fff, 0xdfff],
  from: ['own', 'zero'],
};
/** RFC 8200 §4.5. */
const FRAGMENT_6: WordMeaning = {
  name: 'fragment offset',
  masks: [0xfff8, 0xfff9, 0x0001],
  from: ['own', 'zero'],
};
/** RFC 2784 §2.1, RFC 2890 §2: one flag, all of them, the version, which is the recursion control of RFC 1701 once it is swapped. */
const GRE: WordMeaning = {
  name: 'GRE flags',
  masks: [0x8000, 0x2000, 0x1000, 0x3000, 0xa000, 0xb000, 0x0007],
  unsure: [0x0007],
  from: ['own', 'zero'],
};
/** RFC 2637 §4.1: the flag for a checksum, which PPTP never has, is that of its acknowledgments once it is swapped. */
const ENHANCED_GRE: WordMeaning = { ...GRE, masks: GRE.masks.filter((mask) => mask !== 0x8000) };
/**
 * RFC 1035 §4.1.1: response, opcode, both, truncated, recursion desired, code. The bit of responses in the wrong order says that a
 * server offers recursion: whoever asks for that asks first whether it is a response, which a 0 is none of.
 */
const DNS: WordMeaning = {
  name: 'DNS flags',
  masks: [0x8000, 0x7800, 0xf800, 0x0200, 0x0100, 0x000f],
  unsure: [0x8000],
  from: ['zero'],
};
/** Of what comes from a server nobody has to ask whether it is a response, and may ask first whether it offers recursion. */
const DNS_OF_SERVERS: WordMeaning = { ...DNS, masks: DNS.masks.filter((mask) => mask !== 0x8000) };
/**
 * RFC 9293 §3.1: the flags behind the data offset. FIN by itself is not among them: in the wrong order that is AE (RFC 9768 §3.1.1, NS
 * until then).
 */
const TCP: WordMeaning = {
  name: 'TCP flags',
  masks: [0x0002, 0x0004, 0x0010, 0x0012, 0x0003, 0x0007, 0x0017, 0x003f],
  from: ['own'],
};

const IPV6_SIZE = 40;
const FRAGMENT = 44;
/** PPP in GRE: PPTP. */
const PPP = 0x880b;
const DNS_PORT = 53;

/** Those of all headers that a frame leads to. */
export function* flagWords(frame: Uint8Array): Generator<FlagWord, void, void> {
  for (const { name, offset } of layersOf(frame, 0, frame.length)) {
    const found = wordIn(frame, name, offset);
    if (found !== undefined && found.at + 2 <= frame.length) yield found;
  }
}

function wordIn(frame: Uint8Array, layer: string, offset: number): FlagWord | undefined {
  switch (layer) {
    case 'ipv4':
      return { ...FRAGMENT_4, at: offset + 6 };
    case 'ipv6':
      return frame[offset + 6] === FRAGMENT ? { ...FRAGMENT_6, at: offset + IPV6_SIZE + 2 } : undefined;
    case 'gre':
      return { ...(isPptp(frame, offset) ? ENHANCED_GRE : GRE), at: offset };
    case 'tcp':
      return { ...TCP, at: offset + 12 };
    case 'dns':
      return { ...(isFromServer(frame, offset) ? DNS_OF_SERVERS : DNS), at: offset + 2 };
    default:
      return undefined;
  }
}

/** @param at where its GRE header begins */
function isPptp(frame: Uint8Array, at: number): boolean {
  return at + 4 <= frame.length && read16(frame, at + 2) === PPP;
}

/** Does a datagram with a DNS message come from the port of servers, and not go there? @param at where the message begins */
function isFromServer(frame: Uint8Array, at: number): boolean {
  return read16(frame, at - 8) === DNS_PORT && read16(frame, at - 6) !== DNS_PORT;
}
