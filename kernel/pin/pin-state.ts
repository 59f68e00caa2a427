/** The only value of the map, offsets in bytes. */
export const PIN_STATE = {
  /** u64: what the clock shows. */
  now: 0,
  /** u64: by how much it moves on when a packet begins. */
  tick: 8,
  /** u32: the state of the random numbers. */
  random: 16,
  /** u32: what flow hashes start from. */
  hash: 20,
  size: 24,
} as const;
