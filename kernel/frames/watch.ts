/** Frames of a device of the host's as they come and go, to be looked at: `xdpsim checksum --interface`. */
import { readFileSync } from 'node:fs';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { loadNative } from '../native-package.ts';
import type { OnFrame } from './frame-source.ts';
import { PacketSocket } from './packet-socket.ts';
import { type CapModule, watchPcap } from './pcap-source.ts';

export interface Watch {
  /** What every frame begins with: one of `LINKTYPE`. */
  readonly linkType: number;
  close(): void;
}

/** What a merged segment takes at the most (GRO_MAX_SIZE of BIG TCP is rarely set higher). */
const LONGEST = 262_144;
/** Frames that the kernel keeps between two looks. */
const FRAMES = 2048;
/** Milliseconds between two looks where nothing came. */
const PAUSE = 5;

/**
 * Watches a device of the calling thread's network namespace, in both directions: through libpcap (the package `cap`)
 * where that can be loaded, and through a packet socket otherwise.
 * @param onFrame the buffer is the same every time
 * @throws {EngineError} where the device or the rights are missing, or this is no Linux and there is no libpcap
 */
export function watchDevice(device: string, onFrame: OnFrame): Watch {
  const cap = loadNative<CapModule>('cap');
  if ('module' in cap) return watchThroughPcap(cap.module, device, onFrame);
  if (process.platform !== 'linux') {
    throw new EngineError('environment', `${device} cannot be captured: ${cap.reason}`, {
      remedy: cap.remedy,
    });
  }
  return watchThroughSocket(device, onFrame);
}

/** What `cap` calls link types. */
const PCAP_LINK_TYPES: Readonly<Record<string, number>> = {
  NULL: LINKTYPE.NULL,
  ETHERNET: LINKTYPE.ETHERNET,
  IEEE802_11_RADIO: LINKTYPE.IEEE802_11_RADIOTAP,
  LINKTYPE_LINUX_SLL: LINKTYPE.LINUX_SLL,
  RAW: LINKTYPE.RAW,
};

function watchThroughPcap(module: CapModule, device: string, onFrame: OnFrame): Watch {
  const { linkType, close } = watchPcap(module, device, onFrame);
  const known = PCAP_LINK_TYPES[linkType];
  if (known !== undefined) return { linkType: known, close };
  close();
  throw unreadable(device, linkType);
}

/** Types of devices (linux/if_arp.h) by what a packet socket delivers of them. */
const DEVICE_LINK_TYPES: Readonly<Record<number, number>> = {
  1: LINKTYPE.ETHERNET,
  /** Loopback has headers of Ethernet. */
  772: LINKTYPE.ETHERNET,
  512: LINKTYPE.PPP,
  /** Tunnels without a link layer: IP in IP, over IPv6, 6in4, GRE over either, and tun. */
  768: LINKTYPE.RAW,
  769: LINKTYPE.RAW,
  776: LINKTYPE.RAW,
  778: LINKTYPE.RAW,
  823: LINKTYPE.RAW,
  65534: LINKTYPE.RAW,
  801: LINKTYPE.IEEE802_11,
  803: LINKTYPE.IEEE802_11_RADIOTAP,
};

function watchThroughSocket(device: string, onFrame: OnFrame): Watch {
  const here = { enter: <T>(fn: () => T): T => fn() };
  const socket = new PacketSocket(here, device, FRAMES, onFrame, LONGEST);
  const type = deviceType(device);
  const linkType = DEVICE_LINK_TYPES[type];
  if (linkType === undefined) {
    socket.close();
    throw unreadable(device, `device type ${type}`);
  }
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    socket.poll();
    if (timer !== undefined) timer = setTimeout(look, PAUSE);
  };
  timer = setTimeout(look, 0);
  return {
    linkType,
    close() {
      clearTimeout(timer);
      timer = undefined;
      socket.close();
    },
  };
}

function deviceType(device: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/type`, 'utf8'));
  } catch {
    // /sys may show another namespace's devices, or nothing: nearly all are of this kind.
    return 1;
  }
}

function unreadable(device: string, what: string): EngineError {
  return new EngineError('environment', `${device} cannot be checked: its frames begin with ${what}`, {
    remedy: 'name a device with Ethernet or raw IP',
  });
}
