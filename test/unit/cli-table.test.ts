import { describe, expect, it } from 'vitest';
import { renderFacts, renderTable } from '../../lib/cli/terminal/table.js';

describe('tables', () => {
  it('aligns columns and ends lines without spaces', () => {
    const table = renderTable(
      [{ title: 'NAME' }, { title: 'SIZE', align: 'right' }, { title: 'AGE' }],
      [
        ['a', '98.4 MB', 'old'],
        ['longer', '5 B', ''],
      ],
    );
    expect(table).toBe('NAME       SIZE  AGE\na       98.4 MB  old\nlonger      5 B\n');
  });

  it('counts Chinese characters and emoji as two columns', () => {
    const table = renderTable(
      [{ title: 'NAME' }, { title: 'X' }],
      [
        ['模型', '1'],
        ['ab🎉', '2'],
      ],
    );
    expect(table).toBe('NAME  X\n模型  1\nab🎉  2\n');
  });

  it('counts colours as nothing', () => {
    const table = renderTable([{ title: 'N' }, { title: 'X' }], [['\x1b[31mred\x1b[39m', '1']]);
    expect(table).toBe('N    X\n\x1b[31mred\x1b[39m  1\n');
  });

  it('shows the titles of an empty table', () => {
    expect(renderTable([{ title: 'NAME' }, { title: 'SIZE' }], [])).toBe('NAME  SIZE\n');
  });

  it('aligns the values of facts', () => {
    expect(
      renderFacts([
        ['Name', 'x'],
        ['Parameters', '5'],
      ]),
    ).toBe('Name        x\nParameters  5\n');
  });
});
