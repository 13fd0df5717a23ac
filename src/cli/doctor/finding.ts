/** What the doctor says about one thing. */
export interface Finding {
  readonly name: string;
  /** `warning`: podwire works, but less well than it could, or there is a surprise ahead. */
  readonly state: 'ok' | 'warning' | 'failed';
  /** What is there. */
  readonly found: string;
  /** What to do about it, where something is to be done. */
  readonly fix?: string;
}

export function ok(name: string, found: string): Finding {
  return { name, state: 'ok', found };
}

export function warning(name: string, found: string, fix: string): Finding {
  return { name, state: 'warning', found, fix };
}

export function failed(name: string, found: string, fix: string): Finding {
  return { name, state: 'failed', found, fix };
}
