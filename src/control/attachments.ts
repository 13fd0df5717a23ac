/**
 * What the two kinds of attachments have in common: those with a port of the switch (attached-ports.ts) and those
 * without one (attached-portless.ts). The mode of the network says which of them a pod gets; attacher.ts asks it.
 */
import { closeFile } from '../linux/libc.js';
import { openNamespace } from '../linux/netns.js';
import type { PublishedPort } from './api/publish-types.js';
import type { AttachRequest, Limits } from './api/types.js';
import { unsupported } from './errors.js';
import type { LiveNetwork } from './live-network.js';
import type { Logger } from './logger.js';
import type { AttachmentRecord, ContainerReference } from './records.js';
import { Undo } from './undo.js';

/** What is asked for, complete; `port` is the name that its port is to have. */
export interface AttachWish extends AttachRequest {
  readonly netns: string;
  readonly ifname: string;
  readonly port: string;
  readonly limits?: Limits;
  /** `publish`, where all of it is chosen. */
  readonly published?: readonly PublishedPort[];
  readonly container?: ContainerReference;
}

/** Where an attachment is written down. */
export interface RecordKeeper {
  /**
   * Resolves when the pod's policies are in force for this attachment, whose port is not in a snapshot yet.
   * @throws PodwireError STORE_UNREACHABLE where they are not known
   */
  enforce(attachment: AttachmentRecord): Promise<void>;
  save(attachment: AttachmentRecord): Promise<void>;
  forget(): Promise<void>;
}

export interface Attachments {
  /** In force and recorded when it resolves. @throws PodwireError, LinuxError; then nothing has changed */
  attach(wish: AttachWish, network: LiveNetwork, keeper: RecordKeeper): Promise<AttachmentRecord>;
  /**
   * Attaches again what a record says. Not published.
   * @returns the record, changed where what follows from the network has.
   * @throws PodwireError, LinuxError
   */
  restore(record: AttachmentRecord, network: LiveNetwork): Promise<AttachmentRecord>;
  /** Takes away what `attach` made; the record is the caller's. */
  remove(attachment: AttachmentRecord): Promise<void>;
  /** @param port its name. */
  isUp(port: string): boolean;
}

/** Runs steps with the namespace open; where one fails, those before it are undone. */
export async function inNamespace<T>(
  { port, netns }: Pick<AttachmentRecord, 'port' | 'netns'>,
  log: Logger,
  steps: (namespace: number, undo: Undo) => Promise<T>,
): Promise<T> {
  const undo = new Undo();
  const namespace = openNamespace(netns);
  try {
    return await steps(namespace, undo);
  } catch (error) {
    await undo.run((failure) => log.error({ port, error: String(failure) }, 'undo failed'));
    throw error;
  } finally {
    closeFile(namespace);
  }
}

export function isLimited(limits: Limits | undefined): boolean {
  return limits?.egress !== undefined || limits?.ingress !== undefined;
}

/** @throws PodwireError UNSUPPORTED where limits are asked of what has no port */
export function refuseLimits({ name, spec }: LiveNetwork, limits: Limits | undefined): void {
  if (!isLimited(limits)) return;
  throw unsupported(
    'limits',
    `pods in network ${name} of mode ${spec.mode} have no port that could be limited`,
  );
}
