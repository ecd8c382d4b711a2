import type { PageModel } from '../api/types.js';
import { formatBytes, formatCount, formatPercent } from '../i18n/format.js';
import { t } from '../i18n/i18n.js';

function stateOf({ state, progress }: PageModel): string {
  const name = t(`state_${state}`);
  return progress === null ? name : `${name} ${formatPercent(progress * 100)}`;
}

function Row({ model }: { model: PageModel }) {
  const { figures } = model;
  return (
    <tr>
      <th scope="row">{model.name}</th>
      <td>
        <span class={`state is-${model.state}`}>{stateOf(model)}</span>
        {model.error !== null && <p class="problem">{model.error}</p>}
      </td>
      <td>{formatCount(model.inFlight)}</td>
      <td>
        {figures === null
          ? '–'
          : `${formatCount(figures.residentTokens)} / ${formatCount(figures.contextSize)}`}
      </td>
      <td>{figures === null ? '–' : formatCount(figures.completionTokens)}</td>
      <td>{figures === null ? '–' : formatPercent(figures.batchFill * 100)}</td>
      <td>{figures?.memoryBytes == null ? '–' : formatBytes(figures.memoryBytes)}</td>
    </tr>
  );
}

/** Each model of the server and what it does. */
export function ModelTable({ models }: { models: readonly PageModel[] }) {
  return (
    <section class="chart">
      <h3>{t('models')}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <div class="table-frame" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('model')}</th>
              <th scope="col">{t('state')}</th>
              <th scope="col">{t('requests')}</th>
              <th scope="col">{t('kvTokens')}</th>
              <th scope="col">{t('answerTokens')}</th>
              <th scope="col">{t('batchFill')}</th>
              <th scope="col">{t('memory')}</th>
            </tr>
          </thead>
          <tbody>
            {models.map((model) => (
              <Row key={model.name} model={model} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
