import { type PlacedLabel, placeLabels } from './place-labels.js';
import { linearTicks, logTicks, scaleBetween } from './plot-scales.js';
import type { ComparedFile, Comparison } from './types.js';

const width = 760;
const height = 480;
const area = { left: 76, top: 76, right: width - 28, bottom: height - 60 };
const fontSize = 13;
const radius = 5;

/** Colours for light and dark surroundings. Plain properties, since not all viewers of SVG know variables. */
const style = `
    .surface { fill: #fcfcfb } .grid { stroke: #e3e2de } .axis { stroke: #8a8984 }
    .text { fill: #0b0b0b } .quiet { fill: #52514e }
    .point { fill: #fcfcfb; stroke: #2a78d6 } .best { fill: #2a78d6; stroke: #2a78d6 }
    .front { stroke: #2a78d6 } .ring { stroke: #0b0b0b } .leader { stroke: #8a8984 }
    @media (prefers-color-scheme: dark) {
      .surface { fill: #1a1a19 } .grid { stroke: #35342f } .axis { stroke: #8a8984 }
      .text { fill: #ffffff } .quiet { fill: #c3c2b7 }
      .point { fill: #1a1a19; stroke: #5598e7 } .best { fill: #5598e7; stroke: #5598e7 }
      .front { stroke: #5598e7 } .ring { stroke: #ffffff }
    }`;

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

type Point = ComparedFile & { readonly x: number; readonly y: number };

/**
 * Draws how far files are from the reference over their size, as SVG: the lower left is best. Filled points are those that
 * no other file beats in both; the ring is around the recommended one.
 */
export function renderPlot(comparison: Comparison): string {
  const { files, recommended } = comparison;
  const others = files.filter(({ isReference }) => !isReference);
  const unit = Math.max(...files.map(({ sizeBytes }) => sizeBytes)) >= 2e9 ? 1e9 : 1e6;
  const sizes = linearTicks(files.map(({ sizeBytes }) => sizeBytes / unit));
  const divergences = logTicks(others.map(({ klDivergence }) => klDivergence.value));
  const toX = scaleBetween(sizes.low, sizes.high, area.left, area.right);
  const toLogY = scaleBetween(Math.log(divergences.low), Math.log(divergences.high), area.bottom, area.top);
  const toY = (value: number) => toLogY(Math.log(Math.max(value, divergences.low)));
  const points = others.map((file): Point => {
    return { ...file, x: toX(file.sizeBytes / unit), y: toY(file.klDivergence.value) };
  });
  const space = { ...area, right: width - 8, fontSize, pointRadius: radius + 3 };
  const labels = placeLabels(
    points.map(({ x, y, name }) => ({ x, y, text: name })),
    space,
  );
  const reference = files.find(({ isReference }) => isReference);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" font-family="system-ui, sans-serif" font-size="${fontSize}">
  <title>${escapeXml(titleOf(reference))}</title>
  <style>${style}
  </style>
  <rect class="surface" width="${width}" height="${height}"/>
  <text class="text" x="24" y="32" font-size="17" font-weight="600">${escapeXml(titleOf(reference))}</text>
  <text class="quiet" x="24" y="53">${escapeXml(subtitleOf(comparison))}</text>
${[
  ...sizes.ticks.map((tick) => verticalTick(toX(tick), String(tick))),
  ...divergences.ticks.map((tick) => horizontalTick(toY(tick), String(tick))),
  axes(unit === 1e9 ? 'GB' : 'MB'),
  ...referenceLine(reference, unit, toX),
  frontLine(points),
  ...labels.flatMap(leader),
  ...points.map((point) => circle(point, point.name === recommended)),
  ...labels.map((label) => labelText(label, label.text === recommended)),
].join('\n')}
</svg>
`;
}

function titleOf(reference: ComparedFile | undefined): string {
  return `How far from ${reference?.name ?? 'the model'}, at which size`;
}

function subtitleOf({ contextSize, chunks, recommended }: Comparison): string {
  const text = `Over ${chunks} chunks of ${contextSize} tokens. Filled: no file is smaller and nearer.`;
  return recommended === undefined ? text : `${text} Ring: recommended.`;
}

const at = (value: number) => value.toFixed(1);

function verticalTick(x: number, text: string): string {
  return `  <path class="grid" d="M${at(x)} ${area.top}V${area.bottom}"/>
  <text class="quiet" x="${at(x)}" y="${area.bottom + 20}" text-anchor="middle">${text}</text>`;
}

function horizontalTick(y: number, text: string): string {
  return `  <path class="grid" d="M${area.left} ${at(y)}H${area.right}"/>
  <text class="quiet" x="${area.left - 10}" y="${at(y + 4.5)}" text-anchor="end">${text}</text>`;
}

function axes(unit: string): string {
  const middle = (area.top + area.bottom) / 2;
  return `  <path class="axis" fill="none" d="M${area.left} ${area.top}V${area.bottom}H${area.right}"/>
  <text class="text" x="${(area.left + area.right) / 2}" y="${height - 16}" text-anchor="middle">Size of the file (${unit})</text>
  <text class="text" transform="translate(20 ${middle}) rotate(-90)" text-anchor="middle">KL divergence (nats a token)</text>`;
}

/** The reference is at 0, which a logarithmic axis does not have. */
function referenceLine(
  reference: ComparedFile | undefined,
  unit: number,
  toX: (size: number) => number,
): string[] {
  if (reference === undefined) return [];
  const x = toX(reference.sizeBytes / unit);
  const [anchor, textX] = x > (area.left + area.right) / 2 ? ['end', x - 6] : ['start', x + 6];
  return [
    `  <path class="axis" stroke-dasharray="4 4" d="M${at(x)} ${area.top}V${area.bottom}"/>
  <text class="quiet" x="${at(textX)}" y="${area.top + 14}" text-anchor="${anchor}">${escapeXml(reference.name)}, the reference</text>`,
  ];
}

function frontLine(points: readonly Point[]): string {
  const front = points.filter(({ isPareto }) => isPareto).sort((a, b) => a.x - b.x);
  if (front.length < 2) return '';
  const path = front.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('');
  return `  <path class="front" fill="none" stroke-width="1.5" opacity="0.5" d="${path}"/>`;
}

/** A thin line to a label that found no place beside its point. */
function leader({ x, y, labelX, labelY }: PlacedLabel): string[] {
  const middle = labelY - fontSize * 0.35;
  const isNear = Math.hypot(labelX - x, middle - y) < 3 * fontSize;
  return isNear ? [] : [`  <path class="leader" d="M${at(x)} ${at(y)}L${at(labelX)} ${at(middle)}"/>`];
}

function circle({ x, y, isPareto, name, klDivergence }: Point, isRecommended: boolean): string {
  const place = `cx="${at(x)}" cy="${at(y)}"`;
  const ring = isRecommended
    ? `  <circle class="ring" fill="none" stroke-width="1.5" ${place} r="${radius + 4}"/>\n`
    : '';
  const title = `<title>${escapeXml(name)}: ${klDivergence.value.toPrecision(3)} ± ${klDivergence.standardError.toPrecision(1)}</title>`;
  return `${ring}  <circle class="${isPareto ? 'best' : 'point'}" stroke-width="2" ${place} r="${radius}">${title}</circle>`;
}

function labelText({ labelX, labelY, anchor, text }: PlacedLabel, isRecommended: boolean): string {
  const weight = isRecommended ? ' font-weight="600"' : '';
  return `  <text class="text" x="${at(labelX)}" y="${at(labelY)}" text-anchor="${anchor}"${weight}>${escapeXml(text)}</text>`;
}
