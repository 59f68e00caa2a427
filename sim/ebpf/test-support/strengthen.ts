/** Makes a weak undefined symbol global: its st_info is found by its name's offset in the string table. */
export function strengthen(bytes: Uint8Array, name: string): Uint8Array {
  const view = new DataView(bytes.buffer);
  const sections = Number(view.getBigUint64(40, true));
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const header = sections + index * 64;
    if (view.getUint32(header + 4, true) !== 2) continue;
    const strings = Number(view.getBigUint64(sections + view.getUint32(header + 40, true) * 64 + 24, true));
    const start = Number(view.getBigUint64(header + 24, true));
    const end = start + Number(view.getBigUint64(header + 32, true));
    for (let at = start; at < end; at += 24) {
      const text = strings + view.getUint32(at, true);
      const found = new TextDecoder().decode(bytes.subarray(text, text + name.length + 1));
      if (found === `${name}\0`) bytes[at + 4] = (1 << 4) | (bytes[at + 4]! & 0x0f);
    }
  }
  return bytes;
}
