/**
 * What the CNI plugin asks the daemon, under /v1/cni. The plugin is started anew for every call and does as little as
 * it can: it reads what the runtime says, asks here, and words the answer in the version of CNI that the runtime speaks
 * (CNI specification 1.1, sections 2 to 5). The daemon decides, so that whatever becomes of the plugin, nothing is half done.
 */
import type { PublishWish } from './publish-types.js';

import type { PodDns } from './types.js';

/** One interface of one container, as runtimes name it (CNI 1.1, section 2: CNI_CONTAINERID, CNI_IFNAME). */
export interface CniAttachment {
  containerId: string;
  ifname: string;
  /** `name` of the network configuration, of which a container may have several. */
  config: string;
}

/** Bits a second and bits, as the `bandwidth` capability has them; 0 or missing: unlimited. */
export interface CniBandwidth {
  /** To the container. */
  ingressRate?: number;
  ingressBurst?: number;
  /** From the container. */
  egressRate?: number;
  egressBurst?: number;
}

/** POST /v1/cni/add. Answers when the port forwards. Asking again for what is there is CONFLICT with another netns, else answers it. */
export interface CniAddRequest extends CniAttachment {
  /** Absolute path of the network namespace. */
  netns: string;
  /** K8S_POD_*; without it the pod is `cni/CONTAINERID`. */
  pod?: { namespace: string; name: string; uid?: string };
  /** podwire's Network; default `default`. */
  network?: string;
  /** Fixed addresses without prefix length. */
  ips?: string[];
  mac?: string;
  /** More names of the container in a user-defined network. */
  aliases?: string[];
  /** Of the pod; added to those it has. */
  labels?: Record<string, string>;
  bandwidth?: CniBandwidth;
  /** Ports of the node that are to lead to the container; those with the host port 0, or without one, are passed over. */
  portMappings?: PublishWish[];
}

export interface CniAddAnswer {
  /** The pod that it became. */
  namespace: string;
  name: string;
  network: string;
  ifname: string;
  mac: string;
  mtu: number;
  /** Path of the network namespace. */
  netns: string;
  ips: {
    /** With prefix length: `10.244.0.3/24`. */
    address: string;
    gateway?: string;
  }[];
  /** Default routes that the interface has been given; none where another interface has them. */
  routes: { dst: string; gw: string }[];
  /** Whom the container asks for names; null where podwire serves it none. */
  dns: PodDns | null;
}

/** POST /v1/cni/del. Whatever is not there is gone already: never an error. */
export type CniDelRequest = CniAttachment;

export interface CniReleasedAnswer {
  /** What went: the addresses of each attachment. */
  released: (CniAttachment & { ips: string[] })[];
}

/** POST /v1/cni/check. Answers an error where the attachment is not in force as it was made. */
export interface CniCheckRequest extends CniAttachment {
  netns: string;
  /** As ADD has answered them, with prefix length; others are CNI_CHECK_FAILED. */
  ips?: string[];
  mac?: string;
}

/** POST /v1/cni/gc: releases the attachments of this configuration that are not listed. */
export interface CniGcRequest {
  config: string;
  valid: { containerId: string; ifname: string }[];
}

/** GET /v1/cni/status?network=NAME: 200, or the error that an ADD would meet now (STOPPING, NOT_FOUND, ADDRESS_EXHAUSTED, …). */
export interface CniStatusAnswer {
  ready: true;
}
