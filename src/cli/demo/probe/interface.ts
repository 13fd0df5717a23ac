/** What the kernel of the probe's namespace knows of an interface. */
import { execFileSync } from 'node:child_process';
import { RawSocket } from '../../../linux/raw-socket.js';
import type { InjectRequest, InterfaceResult } from './protocol.js';

interface IpAddressAnswer {
  readonly ifindex: number;
  readonly address: string;
  readonly addr_info: { scope: string; local: string }[];
}

/** Null where there is no such interface. */
export function describeInterface(ifname: string): InterfaceResult | null {
  const found = askIp().find((link) => link.ifname === ifname);
  if (found === undefined) return null;
  const addresses = found.addr_info.filter(({ scope }) => scope === 'global').map(({ local }) => local);
  return { index: found.ifindex, mac: found.address, addresses: addresses.sort() };
}

function askIp(): (IpAddressAnswer & { ifname: string })[] {
  return JSON.parse(execFileSync('ip', ['-j', 'addr', 'show'], { encoding: 'utf8' }));
}

/** Sends frames exactly as they are out of an interface, past the kernel's own IP. */
export function inject({ ifname, frames }: InjectRequest): Record<string, never> {
  const socket = RawSocket.frames(ifname);
  try {
    for (const frame of frames) socket.send(Buffer.from(frame, 'base64'));
    return {};
  } finally {
    socket.close();
  }
}
