/**
 * Policies as somebody writes them, and the cluster that policy-oracle.ts judges them in. Everything that the API says may be left
 * out may be, and null is left out too. Resources that were parsed are of these shapes as well: in them nothing is left out.
 */

export type Labels = Readonly<Record<string, string>>;
export type Maybe<T> = T | null | undefined;

export interface RawSelector {
  readonly matchLabels?: Maybe<Labels>;
  readonly matchExpressions?: Maybe<
    readonly { readonly key: string; readonly operator: string; readonly values?: Maybe<readonly string[]> }[]
  >;
}

export interface RawPeer {
  readonly podSelector?: Maybe<RawSelector>;
  readonly namespaceSelector?: Maybe<RawSelector>;
  readonly ipBlock?: Maybe<{ readonly cidr: string; readonly except?: Maybe<readonly string[]> }>;
}

export interface RawPort {
  readonly protocol?: Maybe<string>;
  readonly port?: Maybe<number | string>;
  readonly endPort?: Maybe<number>;
}

export interface RawSubject {
  readonly namespaces?: Maybe<RawSelector>;
  readonly pods?: Maybe<{
    readonly namespaceSelector?: Maybe<RawSelector>;
    readonly podSelector?: Maybe<RawSelector>;
  }>;
}

export interface RawAdminPeer extends RawSubject {
  readonly networks?: Maybe<readonly string[]>;
  readonly nodes?: Maybe<RawSelector>;
}

export interface RawAdminPort {
  readonly portNumber?: Maybe<{ readonly protocol?: Maybe<string>; readonly port: number }>;
  readonly portRange?: Maybe<{
    readonly protocol?: Maybe<string>;
    readonly start: number;
    readonly end: number;
  }>;
  readonly namedPort?: Maybe<string>;
}

export interface OraclePod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  readonly labels: Labels;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
  readonly interfaces: readonly { readonly network: string; readonly ips: readonly string[] }[];
}

export interface OracleNode {
  readonly name: string;
  readonly labels?: Labels;
  readonly addresses: readonly string[];
}

export interface RawMeta {
  readonly name: string;
  readonly namespace?: string;
}

export interface RawRule {
  readonly from?: Maybe<readonly RawPeer[]>;
  readonly to?: Maybe<readonly RawPeer[]>;
  readonly ports?: Maybe<readonly RawPort[]>;
}

export interface RawAdminRule {
  readonly name?: string;
  readonly action: string;
  readonly from?: Maybe<readonly RawAdminPeer[]>;
  readonly to?: Maybe<readonly RawAdminPeer[]>;
  readonly ports?: Maybe<readonly RawAdminPort[]>;
}

export interface RawNetworkPolicy {
  readonly apiVersion: 'networking.k8s.io/v1';
  readonly kind: 'NetworkPolicy';
  readonly metadata: RawMeta;
  readonly spec?: Maybe<{
    readonly podSelector?: Maybe<RawSelector>;
    readonly policyTypes?: Maybe<readonly string[]>;
    readonly ingress?: Maybe<readonly RawRule[]>;
    readonly egress?: Maybe<readonly RawRule[]>;
  }>;
}

export interface RawAdminPolicy {
  readonly apiVersion: 'policy.networking.k8s.io/v1alpha1';
  readonly kind: 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy';
  readonly metadata: RawMeta;
  readonly spec: {
    readonly priority?: number;
    readonly subject: RawSubject;
    readonly ingress?: Maybe<readonly RawAdminRule[]>;
    readonly egress?: Maybe<readonly RawAdminRule[]>;
  };
}

export type RawPolicy = RawNetworkPolicy | RawAdminPolicy;
export type Way = 'ingress' | 'egress';

export interface OracleCluster {
  /** Labels by name, of namespaces that somebody has made. */
  readonly namespaces: Readonly<Record<string, Labels>>;
  readonly pods: readonly OraclePod[];
  readonly nodes: readonly OracleNode[];
  /** What is in these is the cluster's. */
  readonly cidrs: readonly string[];
  /** Networks with addresses of their own, which mean nothing elsewhere. All others share one space of addresses, with the world. */
  readonly overlays: readonly string[];
  readonly policies: readonly RawPolicy[];
}

/** Of a connection: who opens it and to where. `port` is left out where the protocol has none. */
export interface OracleQuestion {
  readonly from: string;
  readonly to: string;
  /** The overlay in which it is asked. */
  readonly overlay?: string;
  /** TCP, UDP, SCTP, or any other word for what has no ports. */
  readonly protocol: string;
  readonly port?: number;
}
