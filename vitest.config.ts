import { defineConfig } from 'vitest/config';

// unit: everything that runs from the sources in one process. netns: the built program in network namespaces,
// with real devices and real programs; few at a time, since they share the machine's cores.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,golden,conformance,sim,fuzz}/**/*.test.ts'],
          testTimeout: 20_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
});
