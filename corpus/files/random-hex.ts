/** Random hexadecimal digits for names. Node's crypto takes as long to load as a small capture to check: only when needed. */
export function randomHex(bytes: number): string {
  return process.getBuiltinModule('node:crypto').randomBytes(bytes).toString('hex');
}

/** Eight hexadecimal digits that differ from run to run, for whom nobody lies in wait: Node's crypto is not loaded for them. */
export function anyHex(): string {
  return Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
}
