/** What may be asked without a token: whether the daemon lives, and nothing that says what it does. */
const PUBLIC_PATHS: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

export function isPublic(path: string): boolean {
  return PUBLIC_PATHS.has(path);
}
