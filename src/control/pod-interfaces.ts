/**
 * A pod's interfaces among one another: which of them a request means, and how the next one is called.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PublishWish } from './api/publish-types.js';
import type { AttachRequest, LimitsWish } from './api/types.js';
import { PodwireError } from './errors.js';
import { DEFAULT_IFNAME } from './model/attach.js';
import { readLimits } from './model/limits.js';
import { fullWishes, isChosen } from './model/publish.js';
import type { AttachmentRecord, ContainerReference } from './records.js';

/**
 * The one that the request names by its interface, else by its network, else the first, since attaching again is no
 * error; undefined where it asks for one more.
 */
export function chosenBy(
  { ifname, network }: Partial<AttachRequest>,
  made: readonly AttachmentRecord[],
): AttachmentRecord | undefined {
  if (ifname !== undefined) return made.find((attachment) => attachment.ifname === ifname);
  if (network !== undefined) return made.find((attachment) => attachment.network === network);
  return made[0];
}

/** Asking again for what is there is no error; asking for something else is. @throws PodwireError ALREADY_ATTACHED */
export function refuseOther(
  key: string,
  attachment: AttachmentRecord,
  wish: Partial<AttachRequest>,
  container?: ContainerReference,
): void {
  const { netns, ifname, network, ips, mac, tap, tapOwner } = attachment;
  const isSame =
    (wish.netns ?? netns) === netns &&
    (wish.ifname ?? ifname) === ifname &&
    (wish.network ?? network) === network &&
    (wish.mac ?? mac) === mac &&
    (wish.tap ?? tap) === tap &&
    (wish.tapOwner ?? tapOwner) === tapOwner &&
    (wish.ips ?? []).every((address) => ips.includes(address));
  const isOthers = attachment.container?.id !== container?.id && container !== undefined;
  if (isSame && !isOthers) {
    refuseOtherLimits(key, attachment, wish.limits);
    refuseOtherPorts(key, attachment, wish.publish);
    return;
  }
  const whose = isOthers && attachment.container ? ` by container ${attachment.container.id}` : '';
  throw new PodwireError(
    'ALREADY_ATTACHED',
    `pod ${key} is attached already${whose}: ${ifname}${tap === undefined ? '' : `, TAP ${tap}`} (${ips.join(', ')}) in ${netns}, network ${network}; detach it first`,
  );
}

function refuseOtherLimits(
  key: string,
  { ifname, limits = {} }: AttachmentRecord,
  wish: LimitsWish | undefined,
): void {
  if (wish === undefined || isDeepStrictEqual(readLimits('limits.', wish), limits)) return;
  throw new PodwireError(
    'ALREADY_ATTACHED',
    `pod ${key} is attached already, ${ifname} with other limits; 'podwire limit' changes them while it runs`,
    'limits',
  );
}

function refuseOtherPorts(
  key: string,
  { ifname, published = [] }: AttachmentRecord,
  wish: readonly PublishWish[] | undefined,
): void {
  const isThere = (choice: PublishWish): boolean => published.some((port) => isChosen(port, choice));
  if (wish === undefined || fullWishes('publish', wish).every(isThere)) return;
  throw new PodwireError(
    'ALREADY_ATTACHED',
    `pod ${key} is attached already, ${ifname} with other ports; 'podwire publish' and 'unpublish' change them while it runs`,
    'publish',
  );
}

/** The lowest ethN that it does not have. */
export function freeIfname(made: readonly AttachmentRecord[]): string {
  const taken = new Set(made.map(({ ifname }) => ifname));
  let name = DEFAULT_IFNAME;
  for (let number = 1; taken.has(name); number++) name = `eth${number}`;
  return name;
}

/** The pod's key where that is free, so that a pod with one interface and its port have one name. */
export function portName(key: string, ifname: string, made: readonly AttachmentRecord[]): string {
  return made.some(({ port }) => port === key) ? `${key}/${ifname}` : key;
}
