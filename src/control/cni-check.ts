/**
 * Whether a container's interface is still as it was made (CNI 1.1, section 4, CHECK): what the runtime remembers, what
 * is recorded, what is in force, and what the namespace really has.
 */
import { networkInterfaces } from 'node:os';
import { closeFile } from '../linux/libc.js';
import { namespaceIdentity, openNamespace } from '../linux/netns.js';
import type { CniCheckRequest } from './api/cni-types.js';
import { PodwireError } from './errors.js';
import { inside } from './host/inside.js';
import type { AttachmentRecord } from './records.js';

/** @param recorded its addresses with prefix lengths. @throws PodwireError CNI_CHECK_FAILED, NETNS_NOT_FOUND */
export function checkInterface(
  { netns, ips, mac }: CniCheckRequest,
  attachment: AttachmentRecord,
  recorded: readonly string[],
  isUp: boolean,
): void {
  const { ifname } = attachment;
  const stray = (ips ?? []).find((address) => !recorded.includes(address));
  if (stray !== undefined) throw differs(ifname, `has ${recorded.join(', ')}, and not ${stray}`);
  if (mac !== undefined && mac.toLowerCase() !== attachment.mac) {
    throw differs(ifname, `has the MAC address ${attachment.mac}, and not ${mac}`);
  }
  if (!isUp) throw differs(ifname, 'does not forward at present');
  const namespace = openNamespace(netns);
  try {
    if (namespaceIdentity(namespace) !== attachment.netnsId) {
      throw differs(ifname, `was made in ${attachment.netns}, which ${netns} is not`);
    }
    checkAddresses(namespace, attachment, recorded);
  } finally {
    closeFile(namespace);
  }
}

/** getifaddrs(3) of the calling thread's namespace: no process is needed. It lists interfaces that are up. */
function checkAddresses(
  namespace: number,
  { ifname, mac }: AttachmentRecord,
  recorded: readonly string[],
): void {
  const found = inside(namespace, networkInterfaces)[ifname];
  if (!found) throw differs(ifname, 'is not there, is down, or has lost its addresses');
  const [{ mac: actual }] = found;
  if (actual !== mac) throw differs(ifname, `has the MAC address ${actual} in the namespace, and not ${mac}`);
  const present = found.map(({ cidr }) => cidr);
  const lost = recorded.find((address) => !present.includes(address));
  if (lost !== undefined) throw differs(ifname, `has lost its address ${lost}`);
}

function differs(ifname: string, how: string): PodwireError {
  return new PodwireError('CNI_CHECK_FAILED', `interface ${ifname} ${how}`);
}
