import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The time limit is for hangs; a forward pass in plain TypeScript on a busy machine may take seconds.
    testTimeout: 60_000,
    maxWorkers: '100%',
    // Hundreds of tests start the command line, whose types are stripped at each start: kept, that takes a third of the time.
    env: { NODE_COMPILE_CACHE: `${import.meta.dirname}/node_modules/.cache/compiled` },
  },
});
