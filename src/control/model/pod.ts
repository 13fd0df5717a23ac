/**
 * `v1 Pod` as Kubernetes writes it. Containers, volumes and the like are Kubernetes' business and kept as they
 * come; what the manifest asks of the network and podwire does not do is refused by name. hostPorts are published ports
 * (publish.ts).
 *
 * Annotations: `podwire.dev/netns` attaches the pod at once; `podwire.dev/network`, `podwire.dev/ifname` and
 * `podwire.dev/ips` (comma separated) say how, then or at a later attach. `kubernetes.io/egress-bandwidth` and `ingress-bandwidth` limit it.
 * `podwire.dev/ready` and `podwire.dev/terminating` (`"true"` or `"false"`) say what nobody else may know of it: whether services may
 * send it new connections, and whether it is about to end. Without them it is what a status from Kubernetes and the
 * manifest's deletionTimestamp say.
 */
import type { AttachRequest, Limits, Pod } from '../api/types.js';
import { invalid, PodwireError, unsupported } from '../errors.js';
import { PROTOCOLS, type Protocol } from '../services/types.js';
import { parseAttach } from './attach.js';
import { annotatedLimits, BANDWIDTH_ANNOTATION } from './limits.js';
import { KUBERNETES_META } from './meta.js';
import { hostPortsOf } from './publish.js';
import { checker, open, type Schema } from './schema.js';
import { PORT } from './service-ports.js';

const PREFIX = 'podwire.dev/';
const ANNOTATION = {
  netns: `${PREFIX}netns`,
  network: `${PREFIX}network`,
  ifname: `${PREFIX}ifname`,
  ips: `${PREFIX}ips`,
  ready: `${PREFIX}ready`,
  terminating: `${PREFIX}terminating`,
} as const;

const SAID: readonly string[] = [ANNOTATION.ready, ANNOTATION.terminating];

/** Requests to the network that other plugins understand. */
const FOREIGN_ANNOTATIONS = ['k8s.v1.cni.cncf.io/networks'];

const CONTAINERS: Schema = {
  type: 'array',
  items: open({
    ports: {
      type: 'array',
      items: open({
        name: { type: 'string' },
        containerPort: PORT,
        hostPort: { ...PORT, minimum: 0 },
        hostIP: { type: 'string' },
        protocol: { type: 'string', enum: PROTOCOLS },
      }),
    },
  }),
};

export const POD_SCHEMA: Schema = open(
  {
    apiVersion: { type: 'string', const: 'v1' },
    kind: { type: 'string', const: 'Pod' },
    metadata: KUBERNETES_META,
    spec: open({
      hostNetwork: { type: 'boolean' },
      hostname: { type: 'string' },
      subdomain: { type: 'string' },
      containers: CONTAINERS,
      initContainers: CONTAINERS,
      ephemeralContainers: CONTAINERS,
    }),
    status: {
      ...open({
        conditions: { type: 'array', items: open({ type: { type: 'string' }, status: { type: 'string' } }) },
      }),
      description: 'Given by the daemon; ignored in a PUT but for the condition Ready.',
    },
  },
  ['apiVersion', 'kind', 'metadata'],
);

const TOP_LEVEL = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

const check = checker<Pod>(POD_SCHEMA);

/**
 * A Pod as it is stored: of the status only Kubernetes' word whether it is ready.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parsePod(value: unknown): Pod {
  const pod = check(value);
  const stranger = Object.keys(pod).find((key) => !TOP_LEVEL.includes(key));
  if (stranger) throw invalid(stranger, 'unknown field');
  checkAnnotations(pod.metadata.annotations ?? {});
  const wish = attachmentWish(pod);
  if (usesHostNetwork(pod)) refuseAttachment(wish);
  else hostPortsOf(pod);
  const { apiVersion, kind, metadata, spec, status } = pod;
  const conditions = status?.conditions?.filter(({ type }) => type === 'Ready') ?? [];
  return {
    apiVersion,
    kind,
    metadata,
    ...(spec && { spec }),
    ...(conditions.length > 0 && {
      status: { phase: 'Pending', conditions: conditions.map(({ type, status }) => ({ type, status })) },
    }),
  };
}

/** Whether services may send it new connections, as far as anybody says. */
export function isSaidReady({ metadata: { annotations = {} }, status }: Pod): boolean {
  const said =
    annotations[ANNOTATION.ready] ?? status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return said === undefined || said.toLowerCase() === 'true';
}

/** Whether it is about to end. */
export function isTerminating({ metadata }: Pod): boolean {
  const said = metadata.annotations?.[ANNOTATION.terminating];
  if (said !== undefined) return said === 'true';
  return (metadata as { deletionTimestamp?: unknown }).deletionTimestamp !== undefined;
}

/** Ports of its containers that have names. */
export function namedPorts({ spec = {} }: Pod): { name: string; protocol: Protocol; port: number }[] {
  const lists = [spec.containers, spec.initContainers] as (Container[] | undefined)[];
  return lists.flatMap((containers = []) =>
    containers.flatMap(({ ports = [] }) =>
      ports.flatMap(({ name, protocol = 'TCP', containerPort: port }) =>
        name === undefined || port === undefined ? [] : [{ name, protocol, port }],
      ),
    ),
  );
}

/**
 * What the annotations say of the attachment; undefined fields are left out.
 * @throws PodwireError INVALID naming the annotation
 */
export function attachmentWish(pod: Pod): Partial<AttachRequest> & { readonly limits?: Limits } {
  const annotations = pod.metadata.annotations ?? {};
  const wish = annotatedWish(annotations);
  const limits = annotatedLimits(annotations);
  try {
    const { netns, ...rest } = parseAttach({ netns: '/any', ...wish });
    return { ...rest, ...(wish.netns !== undefined && { netns }), ...(limits && { limits }) };
  } catch (error) {
    if (!(error instanceof PodwireError)) throw error;
    throw new PodwireError(error.code, `metadata.annotations: ${PREFIX}${error.message}`, error.field);
  }
}

function annotatedWish(annotations: Record<string, string>): Partial<AttachRequest> {
  const { [ANNOTATION.netns]: netns, [ANNOTATION.network]: network } = annotations;
  const { [ANNOTATION.ifname]: ifname, [ANNOTATION.ips]: ips } = annotations;
  return {
    ...(netns !== undefined && { netns }),
    ...(network !== undefined && { network }),
    ...(ifname !== undefined && { ifname }),
    ...(ips !== undefined && { ips: ips.split(',').map((text) => text.trim()) }),
  };
}

function checkAnnotations(annotations: Record<string, string>): void {
  const known: readonly string[] = Object.values(ANNOTATION);
  for (const key of Object.keys(annotations)) {
    const field = `metadata.annotations["${key}"]`;
    if (key.startsWith(PREFIX) && !known.includes(key)) {
      throw invalid(field, `unknown annotation of podwire's; it knows ${known.join(', ')}`);
    }
    if (SAID.includes(key) && !['true', 'false'].includes(annotations[key])) {
      throw invalid(field, `'${annotations[key]}' is neither "true" nor "false"`);
    }
    if (FOREIGN_ANNOTATIONS.includes(key)) throw unsupported(field, 'podwire does not do this');
  }
}

interface Container {
  ports?: { name?: string; protocol?: Protocol; containerPort?: number }[];
}

/** Such a pod uses the node's own interfaces, and whatever ports of the node its programs listen on. */
export function usesHostNetwork({ spec }: Pod): boolean {
  return spec?.hostNetwork === true;
}

function refuseAttachment({ limits, ...wish }: Partial<AttachRequest>): void {
  const limited = limits?.egress ? BANDWIDTH_ANNOTATION.egress : BANDWIDTH_ANNOTATION.ingress;
  const [field] = [...Object.keys(wish).map((key) => PREFIX + key), ...(limits ? [limited] : [])];
  if (field === undefined) return;
  throw invalid(
    `metadata.annotations["${field}"]`,
    'a pod with spec.hostNetwork is not attached: it uses the node’s own interfaces',
  );
}
