/**
 * Which pod of podwire's a container is. Kubernetes' names are those of podwire. podman says the container's name, which
 * may have capitals, underscores and dots: such a name becomes a valid one, with eight digits of its SHA-256 behind it, so
 * that the same name is always the same pod and two names are two pods.
 */
import type { CniAddRequest } from '../control/api/cni-types.js';
import type { CniArgs } from './args.js';
import { invalidEnvironment } from './errors.js';

const LABEL = '[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?';
/** RFC 1123, as Kubernetes has it for namespaces. */
const NAMESPACE = new RegExp(`^${LABEL}$`);
/** The same, for pods. */
const NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
const LONGEST_LABEL = 63;
const DIGITS = 8;

/** Undefined where the runtime names no pod: the daemon then files the container under its ID. @throws CniError 4 */
export async function podOf(args: CniArgs): Promise<CniAddRequest['pod']> {
  const { podNamespace, podName, podUid: uid } = args;
  if (podName === undefined) {
    if (podNamespace === undefined) return undefined;
    throw invalidEnvironment('CNI_ARGS', 'K8S_POD_NAMESPACE is there and K8S_POD_NAME is missing');
  }
  const namespace = podNamespace === undefined ? 'default' : await madeValid(podNamespace, NAMESPACE);
  const name = await madeValid(podName, NAME);
  return { namespace, name, ...(uid !== undefined && { uid }) };
}

/** Loads node:crypto only here: it would cost every start. */
async function madeValid(text: string, valid: RegExp): Promise<string> {
  if (valid.test(text)) return text;
  const { createHash } = await import('node:crypto');
  const digits = createHash('sha256').update(text).digest('hex').slice(0, DIGITS);
  const readable = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_LABEL - DIGITS - 1)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? `pod-${digits}` : `${readable}-${digits}`;
}
