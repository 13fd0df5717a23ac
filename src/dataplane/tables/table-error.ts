/**
 * A table was given something it cannot hold: always a fault of the control plane, never of a packet. Thrown
 * by constructors and `build` functions only; lookups, inserts and sweeps never throw.
 */

export const TABLE_ERROR = {
  /** The same key twice in one list of entries. */
  duplicate: 'TABLE_DUPLICATE',
  /** A field outside its range, or a prefix with host bits set. */
  invalid: 'TABLE_INVALID',
  /** More entries than the encoding can address. */
  tooLarge: 'TABLE_TOO_LARGE',
} as const;

export type TableErrorCode = (typeof TABLE_ERROR)[keyof typeof TABLE_ERROR];

export class TableError extends Error {
  override readonly name = 'TableError';

  constructor(
    readonly code: TableErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Throws TABLE_INVALID unless `value` is an integer in min..max. */
export function requireInteger(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new TableError(TABLE_ERROR.invalid, `${what} must be an integer from ${min} to ${max}, not ${value}`);
}

/** Throws TABLE_INVALID unless `value` is a number in min..max. */
export function requireNumber(what: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  throw new TableError(TABLE_ERROR.invalid, `${what} must be a number from ${min} to ${max}, not ${value}`);
}
