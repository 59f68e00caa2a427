/** The options of neighbour discovery messages (RFC 4861 §4.6); their length counts units of 8 bytes. */
import { ipv6ToText, macFromText, macToText } from './addresses.ts';
import { readU32, toHex, writeU32 } from './bytes.ts';
import { type Option, optionList } from './declaration/tail.ts';

export const ND_OPTION = {
  SOURCE_LINK_LAYER_ADDRESS: 1,
  TARGET_LINK_LAYER_ADDRESS: 2,
  PREFIX_INFORMATION: 3,
  REDIRECTED_HEADER: 4,
  MTU: 5,
  NONCE: 14,
  ROUTE_INFORMATION: 24,
  RDNSS: 25,
  DNSSL: 31,
} as const;

/** They run to the end of the message. An option of length 0 is none ("MUST silently discard", RFC 4861 §4.6). */
export const NEIGHBOUR_OPTIONS = optionList({
  of: 'neighbour discovery',
  single: [],
  unit: 8,
  uncounted: 0,
  names: {
    1: 'Source Link-layer Address',
    2: 'Target Link-layer Address',
    3: 'Prefix Information',
    4: 'Redirected Header',
    5: 'MTU',
    14: 'Nonce',
    24: 'Route Information',
    25: 'Recursive DNS Server',
    31: 'DNS Search List',
  },
  show: optionText,
  pad: () => new Uint8Array(0),
  most: 65535,
});

/** Source or target link-layer address, of an Ethernet device. @throws {SyntaxError} */
export function linkLayerAddressOption(type: 1 | 2, mac: string): Option {
  return { type, data: macFromText(mac) };
}

/** The MTU of the link (RFC 4861 §4.6.4). */
export function mtuOption(mtu: number): Option {
  const data = new Uint8Array(6);
  writeU32(data, 2, mtu);
  return { type: ND_OPTION.MTU, data };
}

function optionText(type: number, data: Uint8Array): string {
  switch (type) {
    case ND_OPTION.SOURCE_LINK_LAYER_ADDRESS:
    case ND_OPTION.TARGET_LINK_LAYER_ADDRESS:
      return data.length === 6 ? macToText(data) : toHex(data);
    case ND_OPTION.PREFIX_INFORMATION:
      return data.length === 30 ? `${ipv6ToText(data, 14)}/${data[0]}` : toHex(data);
    case ND_OPTION.MTU:
      return data.length === 6 ? `${readU32(data, 2)}` : toHex(data);
    default:
      return toHex(data);
  }
}
