import DOMPurify from 'dompurify';
import { Marked, type Token, type Tokens } from 'marked';

/** Tags that may stand in a text as they are; of all others the reader sees the text. */
const harmlessTag = /^<\/?(?:br|sub|sup|kbd|u|mark|small)\s*\/?>$/i;

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html({ text }: Tokens.HTML | Tokens.Tag) {
      return text
        .split(/(<[^>]*>)/)
        .map((part) => (harmlessTag.test(part) ? part : escapeHtml(part)))
        .join('');
    },
    // A picture elsewhere would tell its owner who reads this.
    image({ href, text }: Tokens.Image) {
      return `<a href="${escapeHtml(href)}">${escapeHtml(text || href)}</a>`;
    },
    table(token: Tokens.Table) {
      const rows = token.rows.map((cells) =>
        this.tablerow({ text: cells.map((cell) => this.tablecell(cell)).join('') }),
      );
      const head = this.tablerow({ text: token.header.map((cell) => this.tablecell(cell)).join('') });
      return `<div class="table-frame" tabindex="0"><table><thead>${head}</thead><tbody>${rows.join('')}</tbody></table></div>`;
    },
  },
});

const purify = DOMPurify(window);
purify.addHook('afterSanitizeAttributes', (element) => {
  if (element.tagName !== 'A') return;
  element.setAttribute('target', '_blank');
  element.setAttribute('rel', 'noopener noreferrer nofollow');
});

const allowed = {
  ALLOWED_TAGS: [
    ...[
      'p',
      'br',
      'hr',
      'h1',
      'h2',
      'h3',
      'h4',
      'h5',
      'h6',
      'strong',
      'em',
      'del',
      'code',
      'pre',
      'blockquote',
    ],
    ...['ul', 'ol', 'li', 'a', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'div', 'span', 'input'],
    ...['sub', 'sup', 'kbd', 'u', 'mark', 'small'],
  ],
  ALLOWED_ATTR: ['href', 'title', 'class', 'align', 'start', 'type', 'checked', 'disabled', 'tabindex'],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  // These hold no addresses, so that the expression above is not for them.
  ADD_URI_SAFE_ATTR: ['align', 'start', 'type', 'checked', 'disabled', 'tabindex'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

/** Makes harmless HTML of a block of a text that nobody vouches for. */
export function toHtml(token: Token): string {
  return purify.sanitize(marked.parser([token]), allowed);
}

/** Makes sure that the HTML of a highlighter is nothing but coloured text. */
export function purifyHighlighted(html: string): string {
  return purify.sanitize(html, { ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'] });
}
