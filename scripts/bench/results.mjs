// From the figures of all rounds to one result per row, and the table of them.
import { busyLimit } from './quiet-machine.mjs';
import { median } from './statistics.mjs';

/** The rounds that measured a row: those on a quiet machine, or if there were none, the disturbed ones. */
function chooseRounds(rounds, id) {
  const all = rounds.filter(({ library }) => library[id] !== undefined);
  const quiet = all.filter(({ busy }) => busy <= busyLimit);
  return quiet.length > 0
    ? { chosen: quiet, isDisturbed: false }
    : { chosen: all, isDisturbed: all.length > 0 };
}

function isMet({ goal, better }, value) {
  if (goal === undefined) return undefined;
  return better === 'higher' ? value >= goal : value <= goal;
}

/**
 * Medians, their ratio and whether the goal is met. The ratio is the median of the rounds' ratios: both sides of a
 * round ran one right after the other, so what slows the machine for a while hits both. An `absolute` row is a bound
 * that must always hold: its result is the worst of all figures.
 *
 * @param {object} row see rows.mjs
 * @param {{ busy: number, reference: object, library: object }[]} rounds
 */
export function summarizeRow(row, rounds) {
  const { chosen, isDisturbed } = chooseRounds(rounds, row.id);
  const ours = chosen.map(({ library }) => library[row.id]);
  if (ours.length === 0) return { row, unavailable: row.unavailable ?? 'no round measured it' };
  if (row.absolute) {
    const value = row.better === 'lower' ? Math.max(...ours) : Math.min(...ours);
    return { row, isDisturbed, ours: value, rounds: { ours }, value, isMet: isMet(row, value) };
  }
  const reference = chosen.map((round) => round.reference[row.id]);
  const ratio = median(ours.map((value, index) => value / reference[index]));
  return {
    row,
    isDisturbed,
    reference: median(reference),
    ours: median(ours),
    rounds: { reference, ours },
    ratio,
    value: ratio,
    isMet: isMet(row, ratio),
  };
}

function formatFigure(value, unit) {
  if (value === undefined) return '–';
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}

/** A goal as text, such as `≥ 0.98`. */
export function formatGoal({ goal, better, absolute, unit }) {
  if (goal === undefined) return '–';
  return `${better === 'higher' ? '≥' : '≤'} ${goal}${absolute ? ` ${unit}` : ''}`;
}

function cells(result) {
  const { row } = result;
  const name = [row.title, row.reference ?? ''];
  if (result.unavailable !== undefined)
    return [...name, '', '', '', formatGoal(row), `not measured: ${result.unavailable}`];
  return [
    ...name,
    formatFigure(result.reference, row.unit),
    formatFigure(result.ours, row.unit),
    result.ratio === undefined ? '–' : result.ratio.toFixed(3),
    formatGoal(row),
    `${result.isMet === undefined ? '–' : result.isMet ? 'yes' : 'no'}${result.isDisturbed ? ', disturbed' : ''}`,
  ];
}

/** The results as a table for people; it is valid Markdown too. */
export function formatTable(results) {
  const head = ['what', 'reference', 'its figure', 'ours', 'ratio', 'goal', 'met'];
  const lines = [head, ...results.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const format = (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [format(head), rule, ...lines.slice(1).map(format)].join('\n');
}
