import { describe, expect, it } from 'vitest';
import { summarizeRow } from '../../scripts/bench/results.mjs';
import { rows, selectWorkshopRows } from '../../scripts/bench/workshop/rows.mjs';

describe('the rows of the workshop', () => {
  it('are chosen by how their names begin, and unknown names are refused', () => {
    expect(selectWorkshopRows([])).toBe(rows);
    expect(selectWorkshopRows(['metadata', 'quantize']).map(({ id }: { id: string }) => id)).toEqual([
      'quantize',
      'metadata-median',
      'metadata-first',
    ]);
    expect(() => selectWorkshopRows(['nothing'])).toThrow(/No row begins with "nothing"/);
  });

  it('have names of their own, and goals that a result can be held against', () => {
    expect(new Set(rows.map(({ id }: { id: string }) => id)).size).toBe(rows.length);
    const [quantize = {}] = selectWorkshopRows(['quantize']);
    const round = (ours: number) => ({ busy: 0, library: { quantize: ours }, reference: { quantize: 2 } });
    expect(summarizeRow(quantize, [round(1.9), round(2), round(2.4)])).toMatchObject({
      ratio: 1,
      isMet: true,
    });
    expect(summarizeRow(quantize, [round(2.2)])).toMatchObject({ ratio: 1.1, isMet: false });
    const [first = {}] = selectWorkshopRows(['metadata-first']);
    const calls = [12, 21].map((ms) => ({ busy: 0, library: { 'metadata-first': ms }, reference: {} }));
    expect(summarizeRow(first, calls)).toMatchObject({ value: 21, isMet: false });
  });
});
