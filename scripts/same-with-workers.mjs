// Files of test/netns that the second run of `npm test -- --and-workers` leaves out: what they hold is the same with one
// forwarding thread as with two. Every other file, and so each new one, runs in both. `npm run test:workers` runs all of them.
//
// Left out is what sends nothing through a data plane, or sends only to see that somebody else (a runtime, the disk, a
// store) was understood. What stays has packets that one worker hands to another, tables that each has a copy of, counters
// that are sums over both, or descriptors and sockets that there are twice.

/** Reads and writes devices and sockets itself: no data plane with workers is started. */
const WITHOUT_DATA_PLANE = [
  'doctor',
  'icmp-echo',
  'linux-forbidden',
  'linux-netns',
  'linux-packets',
  'linux-raw-socket',
  'linux-tap',
  'linux-worker',
  'path-mtu',
  'raw-conformance',
  'tap-conformance',
  'tunnel',
  'tunnel-conformance',
];

/** Says itself how many workers there are: two and three, in the first run already. */
const OWN_WORKERS = ['workers-ports'];

/** Starts, stores, claims, refuses and shows: the thread that does so is one in any case, and has no packets. */
const CONTROL = [
  'cli-daemon',
  'cluster',
  'cluster-etcd',
  'cluster-policies',
  'cluster-resources',
  'daemon-limits-asked',
  'daemon-listen',
  'daemon-portless',
  'daemon-publish',
  'daemon-start',
  'deploy',
  'faults-disk',
  'service-notify',
];

/**
 * What programs of others ask of the daemon. With two workers it is asked by `runtime-containerd-cycles`, which looks at what is
 * left of each container, and pods that runtimes make send as others do.
 */
const RUNTIMES = [
  'cni-chain',
  'cni-faults',
  'cni-plugin',
  'install-cni',
  'runtime-cluster',
  'runtime-containerd',
  'runtime-podman',
  'runtime-podman-cycles',
  'services-podman',
];

/** Judge the programs that measure, not what is measured. */
const BENCHMARKS = ['bench', 'bench-scale'];

export const SAME_WITH_WORKERS = [
  ...WITHOUT_DATA_PLANE,
  ...OWN_WORKERS,
  ...CONTROL,
  ...RUNTIMES,
  ...BENCHMARKS,
].map((name) => `test/netns/${name}.test.ts`);
