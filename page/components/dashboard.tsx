import { useEffect } from 'preact/hooks';
import { formatBytes, formatCount, formatDuration, formatPercent } from '../i18n/format.js';
import { t } from '../i18n/i18n.js';
import { metrics, metricsProblem, samples, watchMetrics } from '../state/metrics.js';
import { isKeyOpen } from '../state/view.js';
import { Chart } from './chart.js';
import { ModelTable } from './model-table.js';

function Tile({ label, value, note }: { label: string; value: string; note?: string | undefined }) {
  return (
    <div class="tile">
      <dt>{label}</dt>
      <dd>
        {value}
        {note !== undefined && <small>{note}</small>}
      </dd>
    </div>
  );
}

const maybePercent = (value: number | null | undefined) => (value == null ? '–' : formatPercent(value));

function Tiles() {
  const last = samples.value.at(-1);
  const now = metrics.value;
  if (last === undefined || now === undefined) return null;
  const memory = last.serverBytes + last.enginesBytes;
  return (
    <dl class="tiles">
      <Tile
        label={t('requests')}
        value={formatCount(last.inFlight)}
        note={t('runningWaiting', { running: last.running, waiting: last.waiting })}
      />
      <Tile
        label={t('speed')}
        value={formatCount(Math.round(last.tokensPerSecond ?? 0))}
        note={t('tokensPerSecondLabel')}
      />
      <Tile label={t('cacheOccupied')} value={maybePercent(last.occupancy)} />
      <Tile label={t('cacheHits')} value={maybePercent(last.cacheHits)} />
      <Tile
        label={t('memory')}
        value={formatBytes(memory)}
        note={t('ofMachine', { total: formatBytes(now.machine.totalBytes) })}
      />
      <Tile label={t('upFor')} value={formatDuration(now.upSeconds)} />
    </dl>
  );
}

function Charts() {
  const shown = samples.value;
  return (
    <div class="charts">
      <Chart
        title={t('load')}
        samples={shown}
        format={formatCount}
        lines={[
          { label: t('inFlight'), read: ({ inFlight }) => inFlight, colour: 'line-1' },
          { label: t('running'), read: ({ running }) => running, colour: 'line-2' },
          { label: t('waiting'), read: ({ waiting }) => waiting, colour: 'line-3' },
        ]}
      />
      <Chart
        title={t('speed')}
        samples={shown}
        format={formatCount}
        lines={[
          {
            label: t('tokensPerSecondLabel'),
            read: ({ tokensPerSecond }) => tokensPerSecond,
            colour: 'line-1',
          },
        ]}
      />
      <Chart
        title={t('cache')}
        samples={shown}
        format={formatPercent}
        most={100}
        lines={[
          { label: t('cacheOccupied'), read: ({ occupancy }) => occupancy, colour: 'line-1' },
          { label: t('cacheHits'), read: ({ cacheHits }) => cacheHits, colour: 'line-2' },
        ]}
      />
      <Chart
        title={t('memory')}
        samples={shown}
        format={formatBytes}
        areBytes
        lines={[
          { label: t('server'), read: ({ serverBytes }) => serverBytes, colour: 'line-1' },
          { label: t('engines'), read: ({ enginesBytes }) => enginesBytes, colour: 'line-2' },
          { label: t('savedPrefixes'), read: ({ prefixBytes }) => prefixBytes, colour: 'line-3' },
        ]}
      />
    </div>
  );
}

function Problem() {
  if (metricsProblem.value === undefined) return null;
  if (metricsProblem.value === 'unreachable') return <p class="problem">{t('unreachable')}</p>;
  return (
    <p class="problem">
      {t('needsAdmin')}{' '}
      <button type="button" class="button" onClick={() => (isKeyOpen.value = true)}>
        {t('enterKey')}
      </button>
    </p>
  );
}

/** How the server is doing, live. */
export function Dashboard() {
  useEffect(watchMetrics, []);
  return (
    <section class="dashboard" aria-label={t('dashboard')}>
      <div class="dashboard-content">
        <h1>{t('dashboard')}</h1>
        <Problem />
        <Tiles />
        {samples.value.length > 0 && <Charts />}
        {metrics.value !== undefined && <ModelTable models={metrics.value.models} />}
      </div>
    </section>
  );
}
