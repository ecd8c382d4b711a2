// The results as a picture: one bar per row, scaled so that the goals of all rows lie on one line.
import { formatGoal } from './results.mjs';

const layout = {
  width: 960,
  rowHeight: 26,
  top: 64,
  bottom: 40,
  barLeft: 400,
  barRight: 770,
  /** The bars end at this multiple of the goal; longer ones are cut and marked. */
  most: 1.5,
};
const colors = { met: '#2e7d32', missed: '#c62828', plain: '#546e7a', goal: '#212121', note: '#757575' };

function escapeText(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function text(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escapeText(content)}</text>`;
}

/**
 * How far a result is in multiples of its goal, where more is better in either direction. Rows without a goal are drawn
 * as their ratio.
 *
 * @param {any} result of summarizeRow in results.mjs, of a row that was measured
 */
export function goalShare({ row, value }) {
  if (row.goal === undefined) return value;
  if (row.better === 'higher') return value / row.goal;
  return value === 0 ? Number.POSITIVE_INFINITY : row.goal / value;
}

function formatValue({ row, value }) {
  return row.absolute ? `${value.toFixed(1)} ${row.unit}` : `${value.toFixed(3)} ×`;
}

function bar(result, y) {
  const { barLeft, barRight, rowHeight, most } = layout;
  const share = goalShare(result);
  const width = ((barRight - barLeft) * Math.min(share, most)) / most;
  const color = result.isMet === undefined ? colors.plain : result.isMet ? colors.met : colors.missed;
  const height = rowHeight - 8;
  const cut =
    share > most
      ? `<path d="M${barRight - 12} ${y + 4} l6 ${height} m4 ${-height} l6 ${height}" stroke="#fff" stroke-width="2"/>`
      : '';
  return `<rect x="${barLeft}" y="${y + 4}" width="${width.toFixed(1)}" height="${height}" fill="${color}"/>${cut}`;
}

function rowElements(result, index) {
  const { barLeft, barRight, rowHeight, top } = layout;
  const y = top + index * rowHeight;
  const line = y + rowHeight / 2 + 4;
  const { row } = result;
  const title = text(barLeft - 10, line, row.title, 'text-anchor="end"');
  if (result.unavailable !== undefined)
    return [title, text(barLeft + 8, line, `not measured: ${result.unavailable}`, `fill="${colors.note}"`)];
  const goal = row.goal === undefined ? 'no goal' : `goal ${formatGoal(row)}`;
  const note = [formatValue(result), goal, ...(result.isDisturbed ? ['disturbed'] : [])].join(', ');
  return [title, bar(result, y), text(barRight + 10, line, note)];
}

/** The results of rows.mjs as an SVG document. */
export function drawChart(results, { title, subtitle }) {
  const { width, rowHeight, top, bottom, barLeft, barRight, most } = layout;
  const height = top + results.length * rowHeight + bottom;
  const end = top + results.length * rowHeight;
  const goalAt = barLeft + (barRight - barLeft) / most;
  const elements = [
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(16, 26, title, 'font-size="17" font-weight="bold"'),
    text(16, 46, subtitle, `fill="${colors.note}"`),
    ...results.flatMap(rowElements),
    `<line x1="${goalAt}" y1="${top - 4}" x2="${goalAt}" y2="${end + 4}" stroke="${colors.goal}" stroke-width="1.5" stroke-dasharray="4 3"/>`,
    text(goalAt, end + 18, 'goal', 'text-anchor="middle"'),
    text(
      barLeft,
      end + 34,
      'Longer is better. Grey bars have no goal: the line is then the reference itself.',
      `fill="${colors.note}"`,
    ),
  ];
  const font = 'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="#212121"';
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font}>\n${elements.join('\n')}\n</svg>\n`;
}
