import stringWidth from 'string-width';

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Default `left`. */
  readonly align?: 'left' | 'right';
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return align === 'right' ? space + text : text + space;
}

/**
 * Rows under their titles, two spaces between columns. Widths are those on the screen: Chinese and emoji take two
 * columns, colours none.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  styleTitle: (title: string) => string = (title) => title,
): string {
  const widths = columns.map((column, index) =>
    Math.max(stringWidth(column.title), ...rows.map((row) => stringWidth(row[index] ?? ''))),
  );
  const renderRow = (cells: readonly string[]) =>
    columns
      .map((column, index) => pad(cells[index] ?? '', widths[index] ?? 0, column.align ?? 'left'))
      .join('  ')
      .trimEnd();
  const header = styleTitle(renderRow(columns.map((column) => column.title)));
  return [header, ...rows.map(renderRow)].map((line) => `${line}\n`).join('');
}

/** Names and values below each other, the values aligned. */
export function renderFacts(
  facts: readonly (readonly [name: string, value: string])[],
  styleName: (name: string) => string = (name) => name,
): string {
  const width = Math.max(0, ...facts.map(([name]) => stringWidth(name)));
  return facts.map(([name, value]) => `${styleName(pad(name, width, 'left'))}  ${value}\n`).join('');
}
