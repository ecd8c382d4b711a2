import type { Tokens } from 'marked';
import { render } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { type Block, BlockSplitter } from '../markdown/block-splitter.js';
import { toHtml } from '../markdown/to-html.js';
import { CodeBlock } from './code-block.js';

function languageOf(info: string | undefined): string {
  return (
    info
      ?.trim()
      .split(/[\s,{]/, 1)[0]
      ?.toLowerCase() ?? ''
  );
}

/** Puts code blocks with their buttons where a block, such as a list, has code inside of it. */
function drawInnerCode(element: HTMLElement, isFinished: boolean): () => void {
  const places = [...element.querySelectorAll('pre')].map((pre) => {
    const code = pre.querySelector('code');
    const language = /language-(\S+)/.exec(code?.className ?? '')?.[1] ?? '';
    const place = document.createElement('div');
    const text = (code?.textContent ?? '').replace(/\n$/, '');
    pre.replaceWith(place);
    render(<CodeBlock code={text} language={language} isFinished={isFinished} />, place);
    return place;
  });
  return () => {
    for (const place of places) render(null, place);
  };
}

function HtmlBlock({ block }: { block: Block }) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (element.current === null) return;
    element.current.innerHTML = toHtml(block.token);
    return drawInnerCode(element.current, block.isFinished);
  }, [block]);
  return <div ref={element} class="block" />;
}

function BlockView({ block }: { block: Block }) {
  // The same element again tells Preact that there is nothing to draw.
  // A block is its text.
  return useMemo(() => {
    if (block.token.type !== 'code') return <HtmlBlock block={block} />;
    const { text, lang } = block.token as Tokens.Code;
    return <CodeBlock code={text} language={languageOf(lang)} isFinished={block.isFinished} />;
  }, [block.raw, block.isFinished]);
}

/** A text in Markdown, which may still be growing. */
export function Markdown({ text, isGrowing }: { text: string; isGrowing: boolean }) {
  const splitter = useMemo(() => new BlockSplitter(), []);
  const blocks = useMemo(() => splitter.update(text, isGrowing), [splitter, text, isGrowing]);
  return (
    <div class="markdown">
      {blocks.map((block, index) => (
        // Blocks are only ever added at the end.
        <BlockView key={index} block={block} />
      ))}
    </div>
  );
}
