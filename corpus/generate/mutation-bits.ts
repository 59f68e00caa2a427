/**
 * The bit of each mutation. Imported as `MUTATION`, all together: constants that stand alone become numbers in the bundle, where
 * a property is a load and three checks each time, twenty times a packet.
 */
/** Special MAC addresses: broadcast, multicast, zero, both the same. */
export const mac = 0x1;
/** VLAN tags, one to four. */
export const tags = 0x2;
/** An EtherType that does not fit what follows. */
export const etherType = 0x4;
/** IPv4 options; IPv6 extension headers. */
export const options = 0x8;
/** A first, middle or last fragment; for IPv6 also an atomic one. */
export const fragment = 0x10;
/** DF, reserved bit, TOS, traffic class, flow label. */
export const flags = 0x20;
/** A total length or payload length that lies. */
export const networkLength = 0x40;
/** A wrong version or ihl. */
export const version = 0x80;
/** An IPv4 header checksum that is wrong, or right and at a corner value. */
export const headerChecksum = 0x100;
/** A TTL or hop limit from the boundary pool. */
export const lifetime = 0x200;
/** A protocol or next header that does not fit what follows. */
export const protocol = 0x400;
/** A special source address. */
export const source = 0x800;
/** A special destination address. */
export const destination = 0x1000;
/** The upper layer's message ends within its header; the lengths before it are right. */
export const short = 0x2000;
/** A wrong checksum in the upper layer. */
export const checksum = 0x4000;
/** A right checksum in the upper layer that is, or becomes, a corner value. */
export const steer = 0x8000;
/** Payload, or the whole message, all zeros or all ones. */
export const uniform = 0x10000;
/** Fields of the upper layer: ICMP codes, TCP flags and data offset, UDP length and absent checksum. */
export const transport = 0x20000;
/** A long payload, up to the largest frame. */
export const long = 0x40000;
/** The frame ends early, at a header's border or one byte off, or anywhere; lengths before it now lie. */
export const truncate = 0x80000;
/** Bytes behind the end that the IP header tells. */
export const padding = 0x100000;
/** Some bytes or bits changed, blindly. */
export const mutate = 0x200000;
