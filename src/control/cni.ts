/**
 * What container runtimes ask for through the CNI plugin (CNI specification 1.1): the plugin is started anew for every
 * call and only carries words; what is done is done here, whole or not at all, whatever becomes of the plugin.
 *
 * A container's interface belongs to a pod: the one that Kubernetes or the runtime names, else `cni/CONTAINERID`, or a name made
 * from the identifier where that cannot be one.
 */
import { closeFile } from '../linux/libc.js';
import { openNamespace } from '../linux/netns.js';
import type {
  CniAddAnswer,
  CniAddRequest,
  CniAttachment,
  CniCheckRequest,
  CniGcRequest,
  CniReleasedAnswer,
  CniStatusAnswer,
} from './api/cni-types.js';
import type { AttachRequest } from './api/types.js';
import type { Attacher } from './attacher.js';
import { checkInterface } from './cni-check.js';
import { PodwireError } from './errors.js';
import { foreignDefaults } from './host/default-routes.js';
import { inside } from './host/inside.js';
import type { KeyedLock } from './keyed-lock.js';
import { isResourceName } from './model/kinds.js';
import { cniLimits } from './model/limits.js';
import { madeName } from './model/made-name.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { Networks } from './networks.js';
import type { Pods } from './pods.js';
import { LOOPBACK, LOOPBACK_MAC, loopbackAddresses, refuseRuntime } from './portless.js';
import type { AttachmentRecord, ContainerReference } from './records.js';

/** Where containers are filed that come without a pod. */
const CNI_NAMESPACE = 'cni';

export interface CniParts {
  readonly pods: Pick<Pods, 'attach' | 'dnsOf' | 'ofContainer' | 'releaseContainers'>;
  readonly networks: Pick<Networks, 'get'>;
  readonly attacher: Pick<Attacher, 'gatewaysOf' | 'isPortless' | 'isUp' | 'prefixedIps'>;
  readonly lock: KeyedLock;
  /** @throws PodwireError while addresses of the network cannot be given out */
  readonly checkHeld: (network: string) => void;
  /** @throws PodwireError STORE_FAILED while nothing can be recorded */
  readonly checkWritable: () => void;
}

export class Cni {
  constructor(private readonly parts: CniParts) {}

  /** @throws PodwireError ALREADY_ATTACHED where the pod is another container's, and what an attach throws */
  add(request: CniAddRequest): Promise<CniAddAnswer> {
    return this.alone(request, () => this.attach(request));
  }

  /**
   * What is not there is gone already (CNI 1.1, section 4, DEL). What is just being made, by a plugin that the runtime has
   * given up, is waited for and goes too.
   */
  del(request: CniAttachment): Promise<CniReleasedAnswer> {
    const { id, config } = referenceOf(request);
    const isOut = (container: ContainerReference, { ifname }: AttachmentRecord): boolean =>
      container.id === id && container.config === config && ifname === request.ifname;
    return this.alone(request, () => this.release(isOut, 'CNI DEL'));
  }

  /** @throws PodwireError NOT_FOUND, CNI_CHECK_FAILED */
  async check(request: CniCheckRequest): Promise<CniStatusAnswer> {
    const found = await this.parts.pods.ofContainer(referenceOf(request), request.ifname);
    const { containerId, ifname } = request;
    if (!found)
      throw new PodwireError('NOT_FOUND', `container ${containerId} has no interface ${ifname} here`);
    const { attachment } = found;
    const { attacher } = this.parts;
    const isUp = attacher.isUp(attachment);
    if (attacher.isPortless(attachment.network)) {
      const loopback = { ...attachment, ifname: LOOPBACK, mac: LOOPBACK_MAC };
      checkInterface(request, loopback, request.ips ?? [], isUp);
    } else checkInterface(request, attachment, attacher.prefixedIps(attachment), isUp);
    return { ready: true };
  }

  /** Takes away what the runtime does not list of this configuration (CNI 1.1, section 4, GC). */
  async gc({ config, valid }: CniGcRequest): Promise<CniReleasedAnswer> {
    const kept = new Set(valid.map(({ containerId, ifname }) => `${containerId} ${ifname}`));
    return this.release(
      (container, { ifname }) => container.config === config && !kept.has(`${container.id} ${ifname}`),
      'CNI GC',
    );
  }

  /** Whether an ADD would succeed. @throws PodwireError saying why it would not */
  status(network = DEFAULT_NETWORK): CniStatusAnswer {
    const live = this.parts.networks.get(network);
    refuseRuntime(live, { id: '', config: '' });
    this.parts.checkHeld(network);
    this.parts.checkWritable();
    live.uplink?.mtuFor(live.spec);
    live.pool.checkRoom();
    return { ready: true };
  }

  /** One after the other for one interface of one container. */
  private alone<T>({ config, containerId, ifname }: CniAttachment, action: () => Promise<T>): Promise<T> {
    return this.parts.lock.run(`cni ${config} ${containerId} ${ifname}`, action);
  }

  private async attach(request: CniAddRequest): Promise<CniAddAnswer> {
    const { namespace, name } = podOf(request);
    const container = referenceOf(request);
    await this.parts.pods.attach(namespace, name, attachRequest(request), container);
    const found = await this.parts.pods.ofContainer(container, request.ifname);
    if (!found)
      throw new PodwireError('NETNS_NOT_FOUND', `${request.netns} went while it was being attached`);
    const dns = this.parts.pods.dnsOf(namespace, name, found.attachment) ?? null;
    return { namespace, name, ...this.describe(found.attachment), dns };
  }

  private async release(
    isOut: (container: ContainerReference, attachment: AttachmentRecord) => boolean,
    reason: string,
  ): Promise<CniReleasedAnswer> {
    const released = await this.parts.pods.releaseContainers(isOut, reason);
    return {
      released: released.flatMap(({ attachment: { container, ifname, ips } }) =>
        container ? [{ containerId: container.id, config: container.config, ifname, ips: [...ips] }] : [],
      ),
    };
  }

  private describe(attachment: AttachmentRecord): Omit<CniAddAnswer, 'namespace' | 'name' | 'dns'> {
    const { network, ifname, mac, mtu, netns } = attachment;
    const { attacher } = this.parts;
    if (attacher.isPortless(network)) return describeLoopback(attachment);
    const gateways = attacher.gatewaysOf(attachment);
    const ofFamily = (address: string): string | undefined =>
      gateways.find((gateway) => isIpv6(gateway) === isIpv6(address));
    return {
      network,
      ifname,
      mac,
      mtu,
      netns,
      ips: attacher.prefixedIps(attachment).map((address) => {
        const gateway = ofFamily(address);
        return { address, ...(gateway !== undefined && { gateway }) };
      }),
      routes: routesInForce(attachment, gateways),
    };
  }
}

/** A default route through another interface of the namespace was left alone, so that is none of this one's. */
function routesInForce(
  { netns, ifname }: AttachmentRecord,
  gateways: readonly string[],
): CniAddAnswer['routes'] {
  const namespace = openNamespace(netns);
  try {
    const foreign = inside(namespace, () => foreignDefaults(ifname));
    return gateways
      .filter((gateway) => !foreign[isIpv6(gateway) ? 6 : 4])
      .map((gw) => ({ dst: isIpv6(gw) ? '::/0' : '0.0.0.0/0', gw }));
  } finally {
    closeFile(namespace);
  }
}

/** As the reference plugin `loopback` answers. */
function describeLoopback({
  network,
  mtu,
  netns,
}: AttachmentRecord): Omit<CniAddAnswer, 'namespace' | 'name' | 'dns'> {
  const ips = loopbackAddresses(netns).map((address) => ({ address }));
  return { network, ifname: LOOPBACK, mac: LOOPBACK_MAC, mtu, netns, ips, routes: [] };
}

function isIpv6(address: string): boolean {
  return address.includes(':');
}

function referenceOf({ containerId, config }: CniAttachment): ContainerReference {
  return { id: containerId, config };
}

/** A container's identifier may have letters that a pod's name has not, and 64 of them, one more than fit. */
function podOf({ pod, containerId }: CniAddRequest): { namespace: string; name: string } {
  if (pod) return pod;
  const name = isResourceName(containerId) ? containerId : madeName(containerId);
  return { namespace: CNI_NAMESPACE, name };
}

function attachRequest(request: CniAddRequest): AttachRequest {
  const { netns, ifname, network, ips, mac, aliases, labels, bandwidth, portMappings = [] } = request;
  const limits = cniLimits(bandwidth);
  const publish = portMappings.filter(({ hostPort = 0 }) => hostPort !== 0);
  return {
    netns,
    ifname,
    network: network ?? DEFAULT_NETWORK,
    ...(ips && { ips }),
    ...(mac !== undefined && { mac }),
    ...(aliases && { aliases }),
    ...(labels && { labels }),
    ...(limits && { limits }),
    ...(publish.length > 0 && { publish }),
  };
}
