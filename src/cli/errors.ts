/**
 * How the command line fails: one line on standard error, `error: CODE: what is wrong and what to do`, and
 * an exit status of 1 (it failed) or 2 (the command line is wrong). Codes of the API pass through unchanged;
 * those below are the command line's own.
 */
import { asPodwireError, PodwireError } from '../control/errors.js';

/** The command line's own codes with their meaning, in the order of docs/cli.md. */
export const CLI_ERROR_CODES = {
  USAGE: 'the command line is wrong',
  DAEMON_UNREACHABLE: 'no daemon answers on the socket, or at --server',
  DAEMON_TIMEOUT: 'the daemon took the request but did not answer in time',
  SOCKET_FORBIDDEN: "this user may not use the daemon's socket",
  ANSWER_INVALID: "what answers there does not speak podwire's API",
  FILE_UNREADABLE: 'a file named on the command line cannot be read',
  APPLY_FAILED: 'some documents of the file were refused; the lines before say which and why',
  PRIVILEGE: 'the command needs privileges that this process does not have',
  INTERRUPTED: 'a signal ended the command before it was done',
  INSTALL_REFUSED: 'a file of that name is there and is not of podwire; --force replaces it',
  INSTALL_FAILED: 'a file cannot be written, or the plugin does not start; what was there stays in force',
  NOT_READY: 'the daemon was not ready in time; no runtime was told of it',
  DEMO_FAILED: 'a check of the demo failed, or the demo could not be set up',
  DOCTOR_FAILED: 'something that podwire requires is missing on this machine',
} as const;

export type CliErrorCode = keyof typeof CLI_ERROR_CODES;

export const ExitStatus = { DONE: 0, FAILED: 1, USAGE: 2 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** An error whose message says what is wrong and what to do about it. */
export class CliError extends Error {
  /** @param code one of the command line's own, or one that the API answered */
  constructor(
    readonly code: string,
    message: string,
    readonly exitStatus: ExitStatus = ExitStatus.FAILED,
  ) {
    super(message);
    this.name = 'CliError';
  }
}

/** An error that the daemon answered: the request reached it. */
export class ApiError extends CliError {}

/** An error of the command line's own kinds, exit status 1. */
export function failure(code: CliErrorCode, message: string): CliError {
  return new CliError(code, message);
}

/** A wrong command line, exit status 2. */
export function usage(message: string): CliError {
  return new CliError('USAGE', message, ExitStatus.USAGE);
}

/** What was asked for exists in podwire's contract, but not in this version; exit status 2. */
export function unsupportedFlag(flag: string, why: string): CliError {
  return new CliError('UNSUPPORTED', `${flag}: ${why}`, ExitStatus.USAGE);
}

/** The same error as one of a wrong command line. */
export function asUsage(error: unknown): unknown {
  return error instanceof PodwireError ? new CliError(error.code, error.message, ExitStatus.USAGE) : error;
}

export function exitStatusOf(error: unknown): ExitStatus {
  return error instanceof CliError ? error.exitStatus : ExitStatus.FAILED;
}

/** `error: CODE: message`, one line. */
export function errorLine(error: unknown): string {
  const { code, message } = error instanceof CliError ? error : asPodwireError(error);
  return `error: ${code}: ${message.replace(/\s*\n\s*/g, ' ')}`;
}
