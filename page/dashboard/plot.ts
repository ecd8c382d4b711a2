import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Sample } from './samples.js';

/** A line of a chart. */
export interface ChartLine {
  readonly label: string;
  readonly read: (sample: Sample) => number | null;
  /** Name of a colour in variables.css. */
  readonly colour: string;
}

/** What a chart draws, apart from the samples. */
export interface PlotSettings {
  readonly lines: readonly ChartLine[];
  readonly format: (value: number) => string;
  /** The most that there can be; without it the chart is as high as its highest value. */
  readonly most?: number;
  /** The numbers are bytes, which are counted in powers of two. */
  readonly areBytes?: boolean;
  /** Tag of the language of the times. */
  readonly locale: string;
}

const height = 180;
const shownSeconds = 300;
/** Steps between the marks of an axis of bytes, from one byte to a tebibyte. */
const byteSteps = Array.from({ length: 41 }, (_, power) => 2 ** power);

/** A colour of variables.css as the canvas takes it, which knows no variables; light or dark as it is now. */
function colourOf({ root }: uPlot, name: string, opacity = 1): string {
  root.style.color = `var(--${name})`;
  const colour = getComputedStyle(root).color;
  return opacity === 1 ? colour : colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);
}

function toOptions({ lines, format, most, areBytes, locale }: PlotSettings, width: number): uPlot.Options {
  const axis = {
    stroke: (plot: uPlot) => colourOf(plot, 'muted'),
    grid: { stroke: (plot: uPlot) => colourOf(plot, 'line'), width: 1 },
    ticks: { show: false },
  };
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hour12: false });
  return {
    width,
    height,
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { range: (_plot, _least, last) => [last - shownSeconds, last] },
      y: { range: (_plot, _least, last) => [0, most ?? Math.max(1, (last ?? 0) * 1.15)] },
    },
    axes: [
      {
        ...axis,
        size: 30,
        space: 70,
        incrs: [60, 120],
        values: (_plot, times) => times.map((time) => clock.format(time * 1000)),
      },
      {
        ...axis,
        size: 68,
        space: 34,
        values: (_plot, values) => values.map(format),
        ...(areBytes && { incrs: byteSteps }),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, colour }, index) => ({
        label,
        stroke: (plot: uPlot) => colourOf(plot, colour),
        width: 2,
        points: { show: false },
        ...(index === 0 && { fill: (plot: uPlot) => colourOf(plot, colour, 0.12) }),
      })),
    ],
  };
}

/** Lines in an element, as wide as it is. */
export class Plot {
  readonly #plot: uPlot;
  readonly #lines: readonly ChartLine[];
  readonly #observer: ResizeObserver;

  constructor(element: HTMLElement, settings: PlotSettings) {
    this.#lines = settings.lines;
    this.#plot = new uPlot(toOptions(settings, element.clientWidth), this.#toData([]), element);
    this.#observer = new ResizeObserver(() => this.#plot.setSize({ width: element.clientWidth, height }));
    this.#observer.observe(element);
  }

  /** Draws these samples. */
  show(samples: readonly Sample[]): void {
    this.#plot.setData(this.#toData(samples));
  }

  /** Draws the same again, in the colours of now. */
  redraw(): void {
    this.#plot.redraw();
  }

  destroy(): void {
    this.#observer.disconnect();
    this.#plot.destroy();
  }

  #toData(samples: readonly Sample[]): uPlot.AlignedData {
    return [samples.map(({ time }) => time), ...this.#lines.map(({ read }) => samples.map(read))];
  }
}
