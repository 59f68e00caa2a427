/** What messages of ICMP and ICMPv6 are called. */

/** Returns the name of a message's type and, where it has one, that of its code: "Destination Unreachable, port unreachable". */
export function messageName(
  types: Readonly<Record<number, string>>,
  codes: Readonly<Record<number, readonly string[]>>,
  { type, code }: { readonly type: number; readonly code: number },
): string {
  const name = types[type] ?? `type ${type}`;
  const codeName = codes[type]?.[code];
  return codeName === undefined ? name : `${name}, ${codeName}`;
}
