/**
 * How the plugin fails: an object on standard output and exit status 1 (CNI specification 1.1, section 5, Error).
 * `code` is one of the specification's or, from 100, one of ours; `msg` says what is wrong and what to do; `details` is
 * a word that stays the same: the daemon's error code (docs/errors.md), or the name of the code below.
 */

/** The specification's codes, and from 100 on our own. */
export const CniCode = {
  INCOMPATIBLE_VERSION: 1,
  UNSUPPORTED_FIELD: 2,
  UNKNOWN_CONTAINER: 3,
  INVALID_ENVIRONMENT: 4,
  IO_FAILURE: 5,
  DECODING_FAILURE: 6,
  INVALID_CONFIG: 7,
  TRY_AGAIN_LATER: 11,
  NOT_AVAILABLE: 50,
  LIMITED_CONNECTIVITY: 51,
  /** The daemon or the host failed; trying again may meet the same. */
  FAILED: 100,
  /** What is there already stands against it: an address, an interface, another attachment. */
  CONFLICT: 101,
  /** CHECK found the attachment other than ADD left it. */
  CHECK_FAILED: 102,
  /** What answers on the socket is not a daemon of this version, or does not let us. */
  NO_DAEMON: 103,
} as const;

export type CniCodeName = keyof typeof CniCode;

export interface ErrorObject {
  cniVersion: string;
  code: number;
  msg: string;
  details: string;
}

export class CniError extends Error {
  readonly code: number;

  /** @param word what `details` says: the daemon's code where it is the daemon's error. */
  constructor(
    kind: CniCodeName,
    message: string,
    readonly word: string = kind,
  ) {
    super(message);
    this.name = 'CniError';
    this.code = CniCode[kind];
  }
}

/** A wrong value of a key of the configuration. */
export function invalidConfig(key: string, problem: string): CniError {
  return new CniError('INVALID_CONFIG', `${key}: ${problem}`);
}

/** A key that podwire-cni does not know; the specification wants key and value in the message. */
export function unsupportedField(key: string, value: unknown, problem: string): CniError {
  return new CniError('UNSUPPORTED_FIELD', `${key}: ${excerpt(value)}: ${problem}`);
}

export function invalidEnvironment(variable: string, problem: string): CniError {
  return new CniError('INVALID_ENVIRONMENT', `${variable}: ${problem}`);
}

/** What is printed of an error, in one line of text for people: the runtime shows it to them. */
export function errorObject(error: unknown, cniVersion: string): ErrorObject {
  if (error instanceof CniError) {
    return { cniVersion, code: error.code, msg: oneLine(error.message), details: error.word };
  }
  const text = error instanceof Error ? error.message : String(error);
  return {
    cniVersion,
    code: CniCode.FAILED,
    msg: oneLine(`a fault in podwire-cni: ${text}`),
    details: 'INTERNAL',
  };
}

/** A value as JSON, cut where it is long. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
