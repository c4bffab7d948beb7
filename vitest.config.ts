import { defineConfig } from 'vitest/config';

// The time limit is for hangs; a forward pass in plain TypeScript on a busy machine may take seconds.
export default defineConfig({ test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, maxWorkers: '100%' } });
