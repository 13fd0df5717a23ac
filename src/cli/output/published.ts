/** Published ports as docker writes them. */
import type { PublishedPort } from '../../control/api/publish-types.js';

/** `80/tcp` */
export function containerPortText({ containerPort, protocol }: PublishedPort): string {
  return `${containerPort}/${protocol.toLowerCase()}`;
}

/** `0.0.0.0:8080` and `[::]:8080`, or the one address. */
export function hostTexts({ hostIP, hostPort }: PublishedPort): string[] {
  const addresses = hostIP === undefined ? ['0.0.0.0', '::'] : [hostIP];
  return addresses.map((address) => `${address.includes(':') ? `[${address}]` : address}:${hostPort}`);
}

/** `8080->80/tcp`, with the address where it is one. */
export function publishedText(port: PublishedPort): string {
  const host = port.hostIP === undefined ? String(port.hostPort) : hostTexts(port)[0];
  return `${host}->${containerPortText(port)}`;
}
