/** What an action throws, as `CODE field`. */
import { PodwireError } from '../../../src/control/errors.js';

export function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof PodwireError) return `${error.code} ${error.field ?? ''}`.trim();
    throw error;
  }
  return 'accepted';
}

/** The message of what an action throws. */
export function message(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
