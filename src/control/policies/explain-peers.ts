/**
 * The items of `from` and `to`, read once more for people: whom each is for, and why it is not for the one that is asked
 * about. The verdict itself is the data plane's own (judge.ts); this only finds the item in the rule that the verdict names.
 */
import { holds } from '../cidr.js';
import { misfit, selectorText } from './explain-selectors.js';
import type { AdminPolicyPeer, IpBlock, LabelSelector, NetworkPolicyPeer, PolicyPod } from './types.js';

export interface Other {
  /** After the translation of services. */
  readonly address: string;
  /** Whose address it is. */
  readonly pod?: PolicyPod;
  /** Labels of the node whose address it is. */
  readonly nodeLabels?: Readonly<Record<string, string>>;
}

/** Labels of a namespace, `kubernetes.io/metadata.name` among them. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>>;

export interface PeerItem {
  /** `podSelector app=web in namespaces team=a` */
  readonly text: string;
  /** Why it is not for them; undefined: it is. */
  readonly missing: (other: Other) => string | undefined;
}

/** @param namespace of the policy. */
export function networkPeer(
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  namespace: string,
  labelsOf: NamespaceLabels,
): PeerItem {
  if (ipBlock) return { text: blockText(ipBlock), missing: ({ address }) => outsideOf(ipBlock, address) };
  if (namespaceSelector) return podPeer(podSelector ?? {}, namespaceSelector, labelsOf);
  const pods = podsText(podSelector ?? {});
  return {
    text: `${pods} in namespace ${namespace}`,
    missing: ({ pod, address }) => {
      if (!pod) return noPod(address);
      if (pod.namespace !== namespace) return `${keyOf(pod)} is not in namespace ${namespace}`;
      return unlabelled(keyOf(pod), pod.labels, podSelector ?? {});
    },
  };
}

export function adminPeer(
  { namespaces, pods, networks, nodes }: AdminPolicyPeer,
  labelsOf: NamespaceLabels,
): PeerItem {
  if (namespaces) return podPeer({}, namespaces, labelsOf);
  if (pods) return podPeer(pods.podSelector, pods.namespaceSelector, labelsOf);
  if (networks) {
    return {
      text: `networks ${networks.join(', ')}`,
      missing: ({ address }) =>
        networks.some((cidr) => holds(cidr, address))
          ? undefined
          : `${address} is not in ${networks.join(', ')}`,
    };
  }
  const text = selectorText(nodes ?? {});
  return {
    text: text === undefined ? 'all nodes' : `nodes ${text}`,
    missing: ({ nodeLabels, address }) =>
      nodeLabels ? unlabelled('the node', nodeLabels, nodes ?? {}) : `${address} is no node's`,
  };
}

function podPeer(
  podSelector: LabelSelector,
  namespaceSelector: LabelSelector,
  labelsOf: NamespaceLabels,
): PeerItem {
  const namespaces = selectorText(namespaceSelector);
  return {
    text: `${podsText(podSelector)} in ${namespaces === undefined ? 'every namespace' : `namespaces ${namespaces}`}`,
    missing: ({ pod, address }) => {
      if (!pod) return noPod(address);
      const { namespace } = pod;
      return (
        unlabelled(`namespace ${namespace}`, labelsOf(namespace), namespaceSelector) ??
        unlabelled(keyOf(pod), pod.labels, podSelector)
      );
    },
  };
}

function podsText(selector: LabelSelector): string {
  const text = selectorText(selector);
  return text === undefined ? 'all pods' : `pods ${text}`;
}

function blockText({ cidr, except = [] }: IpBlock): string {
  return `ipBlock ${cidr}${except.length > 0 ? ` except ${except.join(', ')}` : ''}`;
}

function outsideOf({ cidr, except = [] }: IpBlock, address: string): string | undefined {
  if (!holds(cidr, address)) return `${address} is not in ${cidr}`;
  const hole = except.find((one) => holds(one, address));
  return hole === undefined ? undefined : `${address} is in ${hole}, which is excepted`;
}

function unlabelled(
  who: string,
  labels: Readonly<Record<string, string>>,
  selector: LabelSelector,
): string | undefined {
  const what = misfit(selector, labels);
  return what === undefined ? undefined : `${who} is not ${what}`;
}

function noPod(address: string): string {
  return `${address} is no pod's`;
}

function keyOf({ namespace, name }: PolicyPod): string {
  return `${namespace}/${name}`;
}
