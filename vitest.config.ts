import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: [],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Many tests wait for clients that try again, more than two cores are busy with.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Daemons and commands start in half the time where Node need not strip and compile them anew.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled') },
  },
})
