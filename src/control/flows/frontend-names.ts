/**
 * Which service an address and port is of, for people who look at flows. Made anew when services have changed since it was
 * last asked: some 30 ms for 50,000.
 */
import { NODE_FRONTEND, type ServiceSpec } from '../../dataplane/service-spec.js';

const NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 } as const;

export class FrontendNames {
  private names = new Map<string, string>();
  private made: number | undefined;

  /** @param generation rises with each change of what `all` answers. */
  constructor(
    private readonly all: () => Iterable<ServiceSpec>,
    private readonly generation: () => number,
  ) {}

  /** `shop/web:http`; of an address without a service of its own, who has the port on every address of the node. */
  of(protocol: number, address: string, port: number): string | undefined {
    if (this.made !== this.generation()) this.make();
    return (
      this.names.get(`${protocol} ${address} ${port}`) ??
      this.names.get(`${protocol} ${NODE_FRONTEND} ${port}`)
    );
  }

  private make(): void {
    this.made = this.generation();
    this.names = new Map();
    for (const { name, protocol, frontends } of this.all()) {
      for (const { address, port } of frontends) {
        this.names.set(`${NUMBERS[protocol]} ${address} ${port}`, name.replace(/\/IPv[46]$/, ''));
      }
    }
  }
}
