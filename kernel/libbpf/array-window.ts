/**
 * The values of an array map, mapped into this process: an array of millions of entries is read at the speed of
 * memory, where a call for every entry takes half a second.
 *
 * The kernel maps arrays that were made with BPF_F_MMAPABLE (since Linux 5.5): values from the first byte on, each
 * padded to a multiple of 8 (kernel/bpf/arraymap.c, `array_map_mmap`).
 */
import { BPF_MAP_TYPE } from '../../sim/runtime/maps.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { type LoadedLibbpf, requireLibbpf } from './libbpf.ts';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const PAGE = 4096;

/** Flag of map creation (include/uapi/linux/bpf.h). */
export const BPF_F_MMAPABLE: number = 1 << 10;
/** `struct bpf_map_create_opts` (bpf/bpf.h). */
const MAP_CREATE_OPTS = { sz: 0, map_flags: 28, size: 56 } as const;

/**
 * Makes an array of one value that can be mapped. Programs address the values of such a one directly
 * (kernel/bpf/arraymap.c, `array_map_direct_value_addr`).
 * @returns a file descriptor, or a negative errno
 */
export function createMappableArray({ bpf }: LoadedLibbpf, name: string, valueSize: number): number {
  const options = new DataView(new ArrayBuffer(MAP_CREATE_OPTS.size));
  options.setBigUint64(MAP_CREATE_OPTS.sz, BigInt(MAP_CREATE_OPTS.size), true);
  options.setUint32(MAP_CREATE_OPTS.map_flags, BPF_F_MMAPABLE, true);
  return bpf.bpf_map_create(BPF_MAP_TYPE.ARRAY, name, 4, valueSize, 1, new Uint8Array(options.buffer));
}

/** How much is compared with zeros at once; what is not zero is looked at page by page. */
const STEP = 16 * PAGE;
const ZEROS = Buffer.alloc(STEP);

export class ArrayWindow {
  /** All values; whole pages. */
  readonly bytes: Buffer;
  readonly #address: number;

  private constructor(address: number, length: number) {
    this.#address = address;
    this.bytes = Buffer.from(requireLibbpf().koffi.view(BigInt(address), length));
  }

  /** @returns undefined where the kernel does not map this one: values with locks or timers, say */
  static open(fd: number, bytes: number): ArrayWindow | undefined {
    const length = Math.ceil(bytes / PAGE) * PAGE;
    const address = syscalls().mmap(0, length, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    return address === -1 ? undefined : new ArrayWindow(address, length);
  }

  /** Ranges of whole pages in which not all is zero, in order. */
  *written(): Iterable<readonly [from: number, to: number]> {
    const { bytes } = this;
    for (let step = 0; step < bytes.length; step += STEP) {
      const end = Math.min(step + STEP, bytes.length);
      if (bytes.compare(ZEROS, 0, end - step, step, end) === 0) continue;
      for (let page = step; page < end; page += PAGE) {
        if (bytes.compare(ZEROS, 0, PAGE, page, page + PAGE) !== 0) yield [page, page + PAGE];
      }
    }
  }

  /** The bytes cannot be touched afterwards. */
  close(): void {
    syscalls().munmap(this.#address, this.bytes.length);
  }
}
