/** A namespace's neighbours (net/core/neighbour.c), and what waits for them. Time stands still: none ever ages. */
import { addressFromText, addressToText } from '../../packet/addresses.ts';
import { toHex } from '../../packet/bytes.ts';
import type { Neighbour } from '../../runtime/world.ts';

/** What is done with a waiting packet once the neighbour's MAC is known. */
type Send = (mac: Uint8Array) => void;

/** How many packets wait for one neighbour at the most; the kernel counts their memory instead (`unres_qlen_bytes`). */
const MOST_WAITING = 100;

interface Entry {
  readonly mac: Uint8Array;
  readonly permanent: boolean;
}

export class Neighbours {
  /**
   * All known ones, as `bpf_fib_lookup` sees them: the list grows while the network runs, and a MAC that changes is
   * overwritten in place.
   */
  readonly list: Neighbour[];
  readonly #known = new Map<string, Entry>();
  readonly #waiting = new Map<string, Send[]>();

  constructor(permanent: readonly Neighbour[]) {
    this.list = [...permanent];
    for (const { ifindex, address, mac } of permanent) {
      this.#known.set(key(ifindex, addressFromText(address)), { mac, permanent: true });
    }
  }

  mac(ifindex: number, address: Uint8Array): Uint8Array | undefined {
    return this.#known.get(key(ifindex, address))?.mac;
  }

  /** Calls `send` when the neighbour is known. @returns whether it is the first to wait: then it has to be asked for */
  wait(ifindex: number, address: Uint8Array, send: Send): boolean {
    const at = key(ifindex, address);
    const waiting = this.#waiting.get(at) ?? [];
    this.#waiting.set(at, [...waiting, send].slice(-MOST_WAITING));
    return waiting.length === 0;
  }

  /** Is the neighbour known, or being asked for? */
  has(ifindex: number, address: Uint8Array): boolean {
    const at = key(ifindex, address);
    return this.#known.has(at) || this.#waiting.has(at);
  }

  /**
   * Somebody says where a neighbour is; packets that wait for it are sent.
   * @param override also where another MAC is known; a permanent neighbour stays as it is
   */
  learn(ifindex: number, address: Uint8Array, mac: Uint8Array, override: boolean): void {
    const at = key(ifindex, address);
    const known = this.#known.get(at);
    if (known === undefined) {
      const own = mac.slice();
      this.#known.set(at, { mac: own, permanent: false });
      this.list.push({ ifindex, address: addressToText(address), mac: own });
    } else if (override && !known.permanent) {
      known.mac.set(mac);
    }
    const waiting = this.#waiting.get(at) ?? [];
    this.#waiting.delete(at);
    for (const send of waiting) send(this.#known.get(at)!.mac);
  }
}

function key(ifindex: number, address: Uint8Array): string {
  return `${ifindex} ${toHex(address)}`;
}
