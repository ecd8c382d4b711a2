import { describe, expect, it } from 'vitest';
import { BlockSplitter } from '../../../page/markdown/block-splitter.js';
import { closeOpenMarkup } from '../../../page/markdown/close-open-markup.js';

const text = `# Title

A **bold** paragraph with \`code\` and [a link][ref].

[ref]: https://example.org

- one
- two

  still two

| a | b |
| --- | --- |
| 1 | 2 |

\`\`\`python
def f():

    return 1
\`\`\`

> quoted
`;

describe('the splitter of a growing text', () => {
  it('gives the same blocks whether the text came at once or by character', () => {
    const atOnce = new BlockSplitter().update(text, false);
    const growing = new BlockSplitter();
    for (let end = 1; end < text.length; end += 1) growing.update(text.slice(0, end), true);
    const types = atOnce.map(({ token }) => token.type);
    expect(types).toEqual(['heading', 'paragraph', 'list', 'table', 'code', 'blockquote']);
    const grown = growing.update(text, false);
    expect(grown.map(({ raw }) => raw.trim())).toEqual(atOnce.map(({ raw }) => raw.trim()));
    expect(grown.every(({ isFinished }) => isFinished)).toBe(true);
  });

  it('keeps finished blocks as the same objects, so that they are not drawn again', () => {
    const splitter = new BlockSplitter();
    const [first] = splitter.update('One.\n\nTwo', true);
    const [again] = splitter.update('One.\n\nTwo and\n\nThree', true);
    expect(again).toBe(first);
  });

  it('begins again when the text is another one', () => {
    const splitter = new BlockSplitter();
    splitter.update('One.\n\nTwo.\n\nThree.', true);
    expect(splitter.update('Other.', false).map(({ raw }) => raw)).toEqual(['Other.']);
  });

  it('knows addresses of links that came in an earlier block', () => {
    const splitter = new BlockSplitter();
    splitter.update('[ref]: https://example.org\n\nFirst.\n\nSecond', true);
    const last = splitter.update('[ref]: https://example.org\n\nFirst.\n\nSecond [here][ref].', false).at(-1);
    expect(JSON.stringify(last?.token)).toContain('https://example.org');
  });

  it('calls code finished only when its last fence has come', () => {
    const splitter = new BlockSplitter();
    const isFinished = (code: string) => splitter.update(code, true).map((block) => block.isFinished);
    expect(isFinished('```py')).toEqual([]);
    expect(isFinished('```python\nx = 1\n')).toEqual([false]);
    expect(isFinished('```python\nx = 1\n``')).toEqual([false]);
    expect(isFinished('```python\nx = 1\n```')).toEqual([true]);
  });

  it('takes long text in a time that does not grow with its square', () => {
    const paragraph = `${'word '.repeat(40)}\n\n`;
    const splitter = new BlockSplitter();
    let whole = '';
    let steps = 0;
    for (let index = 0; index < 400; index += 1) {
      whole += paragraph;
      steps += splitter.update(whole, true).length;
    }
    // Each call gives all blocks; had each been read anew, none would be the same object as before.
    const before = splitter.update(whole, true);
    const after = splitter.update(`${whole}more`, true);
    expect(steps).toBeGreaterThan(400);
    expect(after.slice(0, 399).every((block, index) => block === before[index])).toBe(true);
  });
});

describe('the end of a text that is still growing', () => {
  it.each([
    ['some **bold', 'some **bold**'],
    ['some **', 'some '],
    ['some **bold*', 'some **bold**'],
    ['some **bold** end', 'some **bold** end'],
    ['an *emphasis', 'an *emphasis*'],
    ['run `npm i', 'run `npm i`'],
    ['a **b `c', 'a **b `c`'],
    ['old ~~price', 'old ~~price~~'],
    ['2 * 3 = 6', '2 * 3 = 6'],
    ['see [the pa', 'see the pa'],
    ['see [the paper](https://exam', 'see the paper'],
    ['see [the paper](https://example.org)', 'see [the paper](https://example.org)'],
    ['`[not a link`', '`[not a link`'],
    ['Items:\n-', 'Items:\n'],
    ['Items:\n- one', 'Items:\n- one'],
    ['Text\n##', 'Text\n'],
    ['1. one\n2', '1. one\n'],
    ['Title\n=', 'Title\n'],
    ['Text\n\n| a | b |\n| -', 'Text\n\n'],
    ['| a | b |\n| - | - |\n| 1 |', '| a | b |\n| - | - |\n| 1 |'],
    ['escaped \\*\\*bold', 'escaped \\*\\*bold'],
    ['both ***bold', 'both ***bold***'],
    ['an *outer **inner', 'an *outer **inner***'],
    ['**done**\n\nnext *one', '**done**\n\nnext *one*'],
  ])('%j is shown as %j', (given, shown) => {
    expect(closeOpenMarkup(given)).toBe(shown);
  });
});
