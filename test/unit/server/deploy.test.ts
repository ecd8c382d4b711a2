import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ModelPool } from '../../../lib/server/models/model-pool.js';
import { addEngineGauges } from '../../../lib/server/operation/engine-gauges.js';
import { Measures } from '../../../lib/server/operation/measures.js';
import { Work } from '../../../lib/server/workload/work.js';

const deploy = new URL('../../../deploy/', import.meta.url);

/** The names of all samples that a server has, histograms with their buckets. */
async function metricNames(): Promise<Set<string>> {
  const models = new ModelPool({ models: [], load: {}, defaultModel: undefined, loadTimeoutMs: 1000 });
  const work = new Work(models, { requestsPerModel: () => 1, requestsPerClient: undefined });
  const { registry } = new Measures(work);
  addEngineGauges(registry, models);
  const metrics = await registry.getMetricsAsJSON();
  return new Set(
    metrics.flatMap(({ name, type }) =>
      String(type) === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/\bllama_native_[a-z_]+/g)].map(([name]) => name);
}

describe('what is ready to deploy', () => {
  it('has a dashboard that asks for metrics that exist, and for each of them', async () => {
    const known = await metricNames();
    const text = await readFile(new URL('grafana/llama-native.json', deploy), 'utf8');
    const { panels } = JSON.parse(text) as { panels: { targets: { expr: string }[] }[] };
    const asked = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => namesIn(expr)));
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
    expect(panels).toHaveLength(12);
  });

  it('scales on a metric that exists', async () => {
    const known = await metricNames();
    for (const file of ['autoscaler.yaml', 'prometheus-adapter-rule.yaml']) {
      const names = namesIn(await readFile(new URL(`kubernetes/${file}`, deploy), 'utf8'));
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter((name) => !known.has(name))).toEqual([]);
    }
  });

  it('is YAML, and everything of Kubernetes is listed where it is applied from', async () => {
    const files = (await readdir(new URL('kubernetes/', deploy))).sort();
    for (const file of files) {
      for (const document of parseAllDocuments(
        await readFile(new URL(`kubernetes/${file}`, deploy), 'utf8'),
      )) {
        expect(document.errors, file).toEqual([]);
      }
    }
    const listed = await readFile(new URL('kubernetes/kustomization.yaml', deploy), 'utf8');
    const others = ['kustomization.yaml', 'prometheus-adapter-rule.yaml'];
    for (const file of files.filter((name) => !others.includes(name))) expect(listed).toContain(`- ${file}`);
  });
});
