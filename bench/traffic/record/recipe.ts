/**
 * What a capture of fixtures/captures is made by: real programs in the namespaces of lab.ts, started one after the
 * other. A recipe is data, so that the README beside the captures can show every command as it was run.
 */
import type { Place } from './lab.js';

export interface Step {
  readonly at: Place;
  /** Words between single spaces; there is no shell. */
  readonly command: string;
  /** The program is expected to end with an error, as ping does where nobody answers. */
  readonly fails?: boolean;
}

/** A program that serves while the steps run; `ready` is in its output once it does. */
export interface Server extends Step {
  readonly ready: string;
}

export interface Recipe {
  readonly name: string;
  /** One line: what is to be seen in it. */
  readonly about: string;
  /** Whose interface tcpdump listens at: eth0. */
  readonly captureAt: 'client' | 'server';
  /** Devices keep their offloads: packets of up to 64 KiB, whose checksums are left to the device. */
  readonly offloads?: boolean;
  /** Before the capture begins. */
  readonly setup?: readonly Step[];
  readonly servers?: readonly Server[];
  readonly steps: readonly Step[];
  /** Packets kept, from the first on. */
  readonly most: number;
  /** Display filters of tshark; each must match a packet that is kept, or the capture is not what it is said to be. */
  readonly shows: readonly string[];
}

/** A capture that tag.py makes of another, by putting tags into its frames. */
export interface Tagging {
  readonly name: string;
  readonly about: string;
  readonly from: string;
  /** Arguments of tag.py: the outer tag first, as TYPE:VLAN:PRIORITY. */
  readonly tags: readonly string[];
  readonly shows: readonly string[];
}

export function client(command: string): Step {
  return { at: 'client', command };
}

export function router(command: string): Step {
  return { at: 'router', command };
}

export function server(command: string): Step {
  return { at: 'server', command };
}
