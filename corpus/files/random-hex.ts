/** Random hexadecimal digits for names. Node's crypto takes as long to load as a small capture to check: only when needed. */
export function randomHex(bytes: number): string {
  return process.getBuiltinModule('node:crypto').randomBytes(bytes).toString('hex');
}
