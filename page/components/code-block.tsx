import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n/i18n.js';
import { CopyButton } from './copy-button.js';

interface CodeBlockProps {
  code: string;
  language: string;
  /** False while more of it may come; it is coloured when it is whole. */
  isFinished: boolean;
}

/** Colours code; the highlighter is loaded with the first piece of it. */
async function colour(code: string, language: string): Promise<string | undefined> {
  const { highlight } = await import('../markdown/highlight.js');
  return highlight(code, language);
}

/** A piece of code with its language and a button that copies it. */
export function CodeBlock({ code, language, isFinished }: CodeBlockProps) {
  const [coloured, setColoured] = useState<string>();
  useEffect(() => {
    setColoured(undefined);
    if (!isFinished || language === '') return;
    let isWanted = true;
    colour(code, language).then(
      (html) => isWanted && setColoured(html),
      () => {}, // the highlighter could not be loaded: plain code is as true
    );
    return () => {
      isWanted = false;
    };
  }, [code, language, isFinished]);
  return (
    <figure class="code-block">
      <figcaption>
        <span>{language || t('code')}</span>
        <CopyButton text={() => code} label={t('copyCode')} />
      </figcaption>
      {/* Scrolls sideways, so that the keyboard has to reach it. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <pre tabIndex={0}>
        {coloured === undefined ? (
          <code>{code}</code>
        ) : (
          // Purified by markdown/to-html.ts.
          <code dangerouslySetInnerHTML={{ __html: coloured }} />
        )}
      </pre>
    </figure>
  );
}
