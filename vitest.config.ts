import { defineConfig } from 'vitest/config';

/** What a model does, whichever process its engine is in: tested a second time with engines of their own. */
const sameWhenIsolated = [
  'test/conformance/{embeddings,forced-tool-calls,greedy-generation,ranking,structured-output}.test.ts',
  'test/integration/{chat,chat-history,chat-tools,chat-tools-real,checkpoints,context,embed,engine}.test.ts',
  'test/integration/{generate-many,generation,generic-tools,grammar,load,logits-processor,object}.test.ts',
  'test/integration/{prefix-cache,rank,regex,sampling,saved-chat,speculative}.test.ts',
];

export default defineConfig({
  test: {
    // Two cores are enough for one model at a time; a second test file would only slow both down.
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', './test/helpers/summary-reporter.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'in-process',
          include: ['test/{unit,conformance,integration,stress,regressions}/**/*.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          include: sameWhenIsolated,
          env: { LLAMA_NATIVE_ISOLATE: '1' },
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
