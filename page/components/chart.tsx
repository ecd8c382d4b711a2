import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Sample } from '../dashboard/samples.js';
import { language } from '../i18n/i18n.js';
import { theme } from '../state/settings.js';

/** A line of a chart. */
export interface ChartLine {
  readonly label: string;
  readonly read: (sample: Sample) => number | null;
  /** Name of a colour in variables.css. */
  readonly colour: string;
}

interface ChartProps {
  title: string;
  lines: readonly ChartLine[];
  samples: readonly Sample[];
  format: (value: number) => string;
  /** The most that there can be; without it the chart is as high as its highest value. */
  most?: number;
}

const height = 180;
const shownSeconds = 300;

function variable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function toOptions({ lines, format, most }: ChartProps, width: number): uPlot.Options {
  const axis = {
    stroke: variable('muted'),
    grid: { stroke: variable('line'), width: 1 },
    ticks: { show: false },
  };
  const clock = new Intl.DateTimeFormat(language.value, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: (_plot, _least, last) => [last - shownSeconds, last] },
      y: { range: (_plot, _least, last) => [0, most ?? Math.max(1, (last ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, space: 90, values: (_plot, times) => times.map((time) => clock.format(time * 1000)) },
      { ...axis, size: 64, space: 34, values: (_plot, values) => values.map(format) },
    ],
    series: [
      {},
      ...lines.map(({ label, colour }, index) => ({
        label,
        stroke: variable(colour),
        width: 2,
        points: { show: false },
        ...(index === 0 && { fill: `color-mix(in srgb, ${variable(colour)} 14%, transparent)` }),
      })),
    ],
  };
}

function toData(lines: readonly ChartLine[], samples: readonly Sample[]): uPlot.AlignedData {
  return [samples.map(({ time }) => time), ...lines.map(({ read }) => samples.map(read))];
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
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const { title, lines, samples } = props;
  const names = lines.map(({ label }) => label).join();
  // Drawn anew for other colours and words; data comes below.
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const build = () => {
      plot.current?.destroy();
      plot.current = new uPlot(toOptions(props, element.clientWidth), toData(lines, samples), element);
    };
    build();
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', build);
    return () => {
      dark.removeEventListener('change', build);
      observer.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [theme.value, names]);
  useEffect(() => plot.current?.setData(toData(lines, samples)), [lines, samples]);
  return (
    <section class="chart">
      <h3>{title}</h3>
      <Legend {...props} />
      <div ref={place} class="plot" aria-hidden="true" />
    </section>
  );
}
