/** A DNS message as far as its sections go (RFC 1035 §4.1): where its records are, and why it cannot be read where that is so. */
import { sameBytes } from './answers.ts';

/** One of the records behind the questions. */
export interface DnsRecord {
  /** Where its type is, in the message: class, TTL and length follow. */
  readonly at: number;
  readonly type: number;
  readonly class: number;
  /** In seconds. */
  readonly ttl: number;
  /** Of its data. */
  readonly length: number;
}

/** Why a message cannot be read, and the bytes in question. */
export interface DnsFault {
  readonly at: number;
  readonly size: number;
  readonly expected: string;
  readonly got: string;
  readonly what: string;
}

export interface DnsSections {
  /** Behind the first question; the header's end where there is none. */
  readonly questionEnd: number;
  readonly records: readonly DnsRecord[];
  readonly fault?: DnsFault;
}

const HEADER_SIZE = 12;
/** Type, class, TTL and length of a record, behind its name. */
const RECORD_SIZE = 10;
const SECTIONS = ['questions', 'answers', 'authority records', 'additional records'] as const;
const OPT = 41;

export class DnsMessage {
  readonly #bytes: Uint8Array;
  readonly #at: number;
  readonly #size: number;

  private constructor(bytes: Uint8Array, at: number, size: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#size = size;
  }

  /** @returns undefined where there is no room for the header */
  static at(bytes: Uint8Array, at: number, end: number): DnsMessage | undefined {
    return end - at < HEADER_SIZE ? undefined : new DnsMessage(bytes, at, end - at);
  }

  get id(): number {
    return this.#word(0);
  }

  get isResponse(): boolean {
    return (this.#bytes[this.#at + 2]! & 0x80) !== 0;
  }

  get questions(): number {
    return this.#word(4);
  }

  isSameAs(other: DnsMessage): boolean {
    return (
      this.#size === other.#size && sameBytes(this.#bytes, this.#at, other.#bytes, other.#at, this.#size)
    );
  }

  /** Are the bytes between the header and an offset those of another message? */
  startsLike(other: DnsMessage, end: number): boolean {
    if (end > this.#size || end > other.#size) return false;
    const size = end - HEADER_SIZE;
    return sameBytes(this.#bytes, this.#at + HEADER_SIZE, other.#bytes, other.#at + HEADER_SIZE, size);
  }

  /** Goes through all sections, as a resolver does. */
  read(): DnsSections {
    const records: DnsRecord[] = [];
    let [at, questionEnd] = [HEADER_SIZE, HEADER_SIZE];
    for (const [section, name] of SECTIONS.entries()) {
      const field = 4 + 2 * section;
      const count = this.#word(field);
      for (let index = 0; index < count; index++) {
        const entry = this.#nameEnd(at);
        const end = entry < 0 ? -1 : section === 0 ? entry + 4 : this.#recordEnd(entry);
        if (end < 0 || end > this.#size)
          return { questionEnd, records, fault: missing(field, name, count, index) };
        if (section > 0) records.push(this.#record(entry));
        if (section === 1 && records.at(-1)!.type === OPT)
          return { questionEnd, records, fault: { ...OPT_ANSWER, at: entry } };
        if (section === 0 && index === 0) questionEnd = end;
        at = end;
      }
    }
    const left = this.#size - at;
    return { questionEnd, records, ...(left === 0 ? {} : { fault: surplus(at, left) }) };
  }

  #word(at: number): number {
    return (this.#bytes[this.#at + at]! << 8) | this.#bytes[this.#at + at + 1]!;
  }

  /** Behind a name: labels up to the empty one, or to a pointer to a name further in front (§4.1.4); -1: it does not end. */
  #nameEnd(start: number): number {
    let at = start;
    while (at < this.#size) {
      const length = this.#bytes[this.#at + at]!;
      if (length === 0) return at + 1;
      if (length >= 0xc0) return at + 2 <= this.#size && (this.#word(at) & 0x3fff) < start ? at + 2 : -1;
      if (length >= 0x40) return -1;
      at += 1 + length;
    }
    return -1;
  }

  #recordEnd(at: number): number {
    return at + RECORD_SIZE > this.#size ? -1 : at + RECORD_SIZE + this.#word(at + 8);
  }

  #record(at: number): DnsRecord {
    const ttl = ((this.#word(at + 4) << 16) | this.#word(at + 6)) >>> 0;
    return { at, type: this.#word(at), class: this.#word(at + 2), ttl, length: this.#word(at + 8) };
  }
}

function missing(at: number, name: string, count: number, index: number): DnsFault {
  const got = `${count} ${name}`;
  return {
    ...{ at, size: 2, expected: `${index} ${name}`, got },
    what: `it says that it has ${got}, and after ${index} of them the next one is not all there`,
  };
}

function surplus(at: number, left: number): DnsFault {
  return {
    ...{ at, size: left, expected: 'the end', got: `${left} bytes` },
    what: `${left} bytes follow the last record that its counts count`,
  };
}

const OPT_ANSWER: Omit<DnsFault, 'at'> = {
  ...{ size: 2, expected: 'an answer', got: 'OPT' },
  what: 'an OPT record, which belongs to the additional records, stands among the answers',
};
