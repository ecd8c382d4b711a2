/** A last line of marks only: it may become a heading, a rule, a list or bold text, and until then it is none of them. */
const undecidedLine = /(^|\n)[ \t]*(?:[-=*_#>+~`|]+|\d{1,9}[.)]?|[-*+][ \t]+\[[ x]?\]?)[ \t]*$/;
/** The line below the head of a table, as far as it has come. */
const partialTable = /(^|\n)[^\n]*\|[^\n]*\n[ \t]*\|?[-:| \t]*$/;
/** A link or picture whose address is not over: its text, which is shown meanwhile. */
const partialLink = /!?\[([^\]\n]*)\]\([^)\n]*$/;
const partialLinkText = /!?\[([^\]\n]*)$/;

/**
 * Makes the end of a markdown text that is still growing look as it most likely will: what is open is closed, and marks
 * that say nothing yet are left out. Without it bold text, headings and links would flicker while they arrive.
 */
export function closeOpenMarkup(text: string): string {
  const decided = text.replace(partialTable, '$1').replace(undecidedLine, '$1');
  const { open, visible } = scanInline(decided);
  if (open === '`') return `${decided}\``;
  const linked = visible.includes('[') ? closeLink(decided) : decided;
  return open === '' ? linked : closeEmphasis(linked, open);
}

function closeLink(text: string): string {
  return text.replace(partialLink, '$1').replace(partialLinkText, '$1');
}

/** Closes emphasis, or takes its marks away if nothing follows them yet. */
function closeEmphasis(text: string, open: string): string {
  const trimmed = text.trimEnd();
  if (trimmed.endsWith(open)) return trimmed.slice(0, -open.length);
  // Half of the closing marks may be there already.
  const missing = open === '**' && /[^*]\*$/.test(trimmed) ? '*' : open;
  return `${trimmed}${missing}`;
}

interface Scan {
  /** The mark that is open at the end: one of `**`, `*`, `~~` and a backtick. */
  readonly open: string;
  /** The last paragraph without its code. */
  readonly visible: string;
}

const marks = /\\.|(`+)|(\*{1,3}|~~)/g;

/** Finds what is open at the end of the last paragraph. */
function scanInline(text: string): Scan {
  const paragraph = text.slice(text.lastIndexOf('\n\n') + 1);
  const open: string[] = [];
  let visible = '';
  let from = 0;
  marks.lastIndex = 0;
  for (let match = marks.exec(paragraph); match !== null; match = marks.exec(paragraph)) {
    visible += paragraph.slice(from, match.index);
    from = marks.lastIndex;
    const [whole, ticks, emphasis] = match;
    if (ticks !== undefined) {
      const end = paragraph.indexOf(ticks, from);
      if (end < 0) return { open: '`', visible };
      from = end + ticks.length;
      marks.lastIndex = from;
    } else if (emphasis !== undefined) {
      toggle(open, emphasis, paragraph.charAt(match.index - 1), paragraph.charAt(from));
    } else {
      visible += whole;
    }
  }
  return { open: open.at(-1) ?? '', visible: visible + paragraph.slice(from) };
}

/** Opens or closes a mark. One between spaces is a sign of its own, as in `2 * 3`, or a list's. */
function toggle(open: string[], mark: string, before: string, after: string): void {
  if (open.at(-1) === mark && before.trim() !== '') open.pop();
  else if (after === '' || after.trim() !== '') open.push(mark);
}
