import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCases } from '../../scripts/fuzz/cases.js';
import type { PreparedKind } from '../../scripts/fuzz/kind.js';
import { fuzzKinds } from '../../scripts/fuzz/kinds/index.js';
import { type Outcome, tryInput } from '../../scripts/fuzz/outcome.js';
import { Workplace } from '../../scripts/fuzz/workplace.js';

/** What once crashed or hung an engine, or came back as an error that is none of ours; `npm run fuzz` adds to it. */
for (const kind of fuzzKinds) {
  const cases = await readCases(kind.name);

  describe.skipIf(cases.size === 0)(`inputs of the kind ${kind.name} that the fuzzer kept`, () => {
    let workplace: Workplace;
    let prepared: PreparedKind;
    beforeAll(async () => {
      workplace = await Workplace.create();
      prepared = await kind.prepare(workplace);
    });
    afterAll(async () => {
      await prepared.close();
      await workplace.close();
    });

    async function outcomeOf(name: string): Promise<Outcome> {
      const input = cases.get(name)?.input ?? {};
      return tryInput(() => prepared.run(input), workplace);
    }

    const mended = [...cases].filter(([, { reason }]) => reason === undefined).map(([name]) => name);
    it.each(mended)('%s is refused, or does no harm, within its time', async (name) => {
      const outcome = await outcomeOf(name);
      expect(['accepted', 'refused'], JSON.stringify(outcome)).toContain(outcome.kind);
    });

    const possible = [...cases].filter(([, { reason }]) => reason !== undefined).map(([name]) => name);
    it.skipIf(possible.length === 0).each(possible)('%s ends no more than its engine', async (name) => {
      const { kind: outcome } = await outcomeOf(name);
      expect(['crashed', 'hung', 'refused']).toContain(outcome);
      await prepared.close();
      workplace.forgetEngines();
      prepared = await kind.prepare(workplace);
      const next = await outcomeOf(mended[0] ?? '');
      expect(next.kind, JSON.stringify(next)).toBe('refused');
    });
  });
}
