/**
 * What lies in front of a TC frame in its buffer, as a test run makes it (net/bpf/test_run.c): how much room there is, and where
 * the kernel takes the transport header to be. A test run does not set that header, and the mark for that, 0xffff, is an offset
 * like any other to `skb_headers_offset_update`: once the buffer has been made larger in front, it wraps and counts as set.
 */

export interface BufferFront {
  /** Bytes from the buffer's begin to the frame's. */
  readonly room: number;
  /** Offset of the transport header in the buffer, 16 bits. */
  readonly transport: number;
  /** Did the frame move to a larger buffer? What was behind its end stayed in the old one. */
  readonly isLarger: boolean;
}

/** `NET_SKB_PAD`: so much there is, and by multiples of it the buffer grows. */
const STEP = 64;
const NOT_SET = 0xffff;

/** Of a frame that comes. */
export const NEW_FRONT: BufferFront = { room: STEP, transport: NOT_SET, isLarger: false };

/** `skb_cow`: before bytes are put in front. */
export function withRoom(front: BufferFront, bytes: number): BufferFront {
  const { room, transport } = front;
  if (bytes <= room) return front;
  const more = Math.ceil((bytes - room) / STEP) * STEP;
  return { room: room + more, transport: (transport + more) & 0xffff, isLarger: true };
}

/** The frame begins earlier by so many bytes, or later. */
export function movedFront(front: BufferFront, bytes: number): BufferFront {
  return { ...front, room: front.room - bytes };
}

/** The same, where the headers move with its begin: a transport header that is where the network header is goes along. */
export function movedHeaders(front: BufferFront, bytes: number, networkOffset: number): BufferFront {
  const isSame = front.transport === ((front.room + networkOffset) & 0xffff);
  const transport = isSame ? (front.transport - bytes) & 0xffff : front.transport;
  return { ...front, room: front.room - bytes, transport };
}

/** The transport header lies so many bytes into the frame. */
export function withTransport(front: BufferFront, offset: number): BufferFront {
  return { ...front, transport: (front.room + offset) & 0xffff };
}

/** `__bpf_skb_min_len`: to how few bytes a frame may be cut. */
export function leastLength({ room, transport }: BufferFront, networkOffset: number): number {
  const offset = transport === NOT_SET ? 0 : transport - room;
  return offset > 0 ? offset : Math.max(networkOffset, 0);
}

/** Why a length is not judged that is allowed in a test run, or on a device, and not in the other. */
export const ONLY_IN_TEST_RUNS =
  'to how few bytes bpf_skb_change_tail cuts a frame with more than 64 new bytes in front is another thing in test runs';

/** Why bytes are not known that come from behind a frame's end into a new buffer. */
export const BEHIND_THE_END =
  'bytes behind the end of a frame that moved to a larger buffer are not modelled';
