import { useEffect, useRef } from 'preact/hooks';
import { type ChartLine, Plot } from '../dashboard/plot.js';
import type { Sample } from '../dashboard/samples.js';
import { language } from '../i18n/i18n.js';
import { theme } from '../state/settings.js';

interface ChartProps {
  title: string;
  lines: readonly ChartLine[];
  samples: readonly Sample[];
  format: (value: number) => string;
  /** The most that there can be. */
  most?: number;
  areBytes?: boolean;
}

/** The last value of each line, as text: what the picture shows to those who do not see it. */
function Legend({ lines, samples, format }: ChartProps) {
  const last = samples.at(-1);
  return (
    <ul class="legend">
      {lines.map(({ label, read, colour }) => {
        const value = last === undefined ? null : read(last);
        return (
          <li key={label}>
            <i style={{ background: `var(--${colour})` }} />
            {label} <b>{value === null ? '–' : format(value)}</b>
          </li>
        );
      })}
    </ul>
  );
}

/** Lines over the last minutes. */
export function Chart(props: ChartProps) {
  const { title, lines, samples, format, most, areBytes = false } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const locale = language.value;
  // The lines are others only in other languages.
  useEffect(() => {
    if (place.current === null) return;
    const drawn = new Plot(place.current, {
      lines,
      format,
      locale,
      areBytes,
      ...(most !== undefined && { most }),
    });
    plot.current = drawn;
    drawn.show(samples);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const redraw = () => drawn.redraw();
    dark.addEventListener('change', redraw);
    return () => {
      dark.removeEventListener('change', redraw);
      drawn.destroy();
    };
  }, [locale]);
  useEffect(() => plot.current?.redraw(), [theme.value]);
  useEffect(() => plot.current?.show(samples), [samples]);
  return (
    <section class="chart">
      <h3>{title}</h3>
      <Legend {...props} />
      <div ref={place} class="plot" aria-hidden="true" />
    </section>
  );
}
