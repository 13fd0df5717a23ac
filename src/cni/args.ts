/**
 * CNI_ARGS: `KEY=VALUE;KEY=VALUE` (CNI specification 1.1, section 2; CONVENTIONS.md, CNI_ARGS). A key that is not known is
 * an error unless `IgnoreUnknown=1` is among them, as in the reference library, whose rules runtimes rely on.
 */
import { invalidEnvironment } from './errors.js';

export interface CniArgs {
  /** Kubernetes' pod; podman says the container's name in both. */
  readonly podNamespace?: string;
  readonly podName?: string;
  readonly podUid?: string;
  /** Fixed addresses, with or without prefix length. */
  readonly ips?: readonly string[];
  readonly mac?: string;
}

const IGNORE_UNKNOWN = 'IgnoreUnknown';
/** Said by runtimes to every plugin, and of no use here. */
const UNUSED = 'K8S_POD_INFRA_CONTAINER_ID';
const KNOWN = ['K8S_POD_NAMESPACE', 'K8S_POD_NAME', 'K8S_POD_UID', 'IP', 'MAC', IGNORE_UNKNOWN, UNUSED];

/** An empty value is none. @throws CniError 4 */
export function parseArgs(text: string): CniArgs {
  const pairs = new Map(
    text
      .split(';')
      .filter((pair) => pair !== '')
      .map(parsePair),
  );
  const isLenient = ignoresUnknown(pairs.get(IGNORE_UNKNOWN));
  const unknown = [...pairs.keys()].filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0 && !isLenient) {
    throw invalidEnvironment(
      'CNI_ARGS',
      `unknown ${unknown.join(', ')}; podwire-cni knows ${KNOWN.join(', ')}; IgnoreUnknown=1 lets others pass`,
    );
  }
  const value = (key: string) => pairs.get(key) || undefined;
  return {
    podNamespace: value('K8S_POD_NAMESPACE'),
    podName: value('K8S_POD_NAME'),
    podUid: value('K8S_POD_UID'),
    ips: value('IP')?.split(','),
    mac: value('MAC'),
  };
}

function parsePair(pair: string): [string, string] {
  const parts = pair.split('=');
  if (parts.length !== 2 || parts[0] === '') {
    throw invalidEnvironment('CNI_ARGS', `'${pair}' is not KEY=VALUE`);
  }
  return [parts[0], parts[1]];
}

function ignoresUnknown(value = '0'): boolean {
  const lower = value.toLowerCase();
  if (lower === '1' || lower === 'true') return true;
  if (lower === '0' || lower === 'false') return false;
  throw invalidEnvironment('CNI_ARGS', `${IGNORE_UNKNOWN}=${value} is neither 1, true, 0 nor false`);
}
