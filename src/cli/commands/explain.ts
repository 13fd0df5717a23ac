/** `podwire explain`: whether one end may send to another, and which rule says so. */
import { Command } from 'commander';
import {
  EXPLAIN_PROTOCOLS,
  type ExplainAnswer,
  type ExplainProtocol,
  type ExplainRequest,
} from '../../control/api/explain-types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { usage } from '../errors.js';
import { explanation } from '../output/explanation.js';
import { paletteFor } from '../output/style.js';

interface ExplainOptions {
  readonly from?: string;
  readonly to?: string;
  readonly namespace?: string;
  readonly proto?: string;
  readonly dport?: string;
  readonly ipv6?: true;
  readonly ipv4?: true;
}

export function explainCommand(): Command {
  return new Command('explain')
    .description('whether one end may send to another: by which way, and which rule of which policy decides')
    .option('--from <POD|ADDR>', 'NAME, NAMESPACE/NAME, either with @NODE; node/NAME; an address')
    .option('--to <POD|ADDR>', 'the same, or a service: svc/NAME, svc/NAMESPACE/NAME, its address')
    .option('--proto <PROTOCOL>', `${EXPLAIN_PROTOCOLS.join(', ')} (default: tcp with --dport, else icmp)`)
    .option('--dport <N>', 'port of the destination; of a service its own; without it every port')
    .option('-n, --namespace <NAMESPACE>', 'that names are in (default: default)')
    .option('-4, --ipv4', 'between their IPv4 addresses, which is the default')
    .option('-6, --ipv6', 'between their IPv6 addresses')
    .action(async (options: ExplainOptions, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const request = requestOf(options);
      const { body } = await clientFor(self).send<ExplainAnswer>('POST', '/v1/explain', request);
      if (format === 'json') printJson(body);
      else print(explanation(body, paletteFor(process.stdout)));
    })
    .addHelpText(
      'after',
      '\nNothing is sent. The last line says allowed, refused or unreachable; the exit status is 0 for each of them.',
    );
}

function requestOf(options: ExplainOptions): ExplainRequest {
  const { from, to, namespace, proto, dport, ipv4, ipv6 } = options;
  if (from === undefined) throw usage('--from: it is not said who sends');
  if (to === undefined) throw usage('--to: it is not said to whom');
  if (ipv4 && ipv6) throw usage('-4 and -6 contradict each other');
  return {
    from,
    to,
    ...(namespace !== undefined && { namespace }),
    ...(proto !== undefined && { protocol: protocolOf(proto) }),
    ...(dport !== undefined && { port: portOf(dport) }),
    ...((ipv4 || ipv6) && { family: ipv6 ? 'IPv6' : 'IPv4' }),
  };
}

function protocolOf(text: string): ExplainProtocol {
  const found = EXPLAIN_PROTOCOLS.find((one) => one === text.toLowerCase());
  if (found) return found;
  throw usage(`--proto: '${text}' is none of ${EXPLAIN_PROTOCOLS.join(', ')}`);
}

function portOf(text: string): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= 65_535) return number;
  throw usage(`--dport: '${text}' is not a port from 1 to 65535`);
}
