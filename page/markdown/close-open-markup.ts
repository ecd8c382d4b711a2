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
  const { open, isCode, visible } = scanInline(decided);
  if (isCode) return `${decided}\``;
  return closeEmphasis(visible.includes('[') ? closeLink(decided) : decided, open);
}

function closeLink(text: string): string {
  return text.replace(partialLink, '$1').replace(partialLinkText, '$1');
}

/** Takes marks away that nothing follows yet, or that are the first half of closing ones, and closes the others. */
function closeEmphasis(text: string, open: readonly string[]): string {
  let shown = text;
  const waiting = [...open];
  for (
    let mark = waiting.at(-1);
    mark !== undefined && shown.trimEnd().endsWith(mark);
    mark = waiting.at(-1)
  ) {
    shown = shown.trimEnd().slice(0, -mark.length);
    waiting.pop();
  }
  return waiting.length === 0 ? shown : `${shown.trimEnd()}${waiting.reverse().join('')}`;
}

interface Scan {
  /** Marks that are open at the end, the outermost first. */
  readonly open: readonly string[];
  /** The end is inside of a piece of code. */
  readonly isCode: boolean;
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
      if (end < 0) return { open, isCode: true, visible };
      from = end + ticks.length;
      marks.lastIndex = from;
    } else if (emphasis !== undefined) {
      toggle(open, emphasis, paragraph.charAt(match.index - 1), paragraph.charAt(from));
    } else {
      visible += whole;
    }
  }
  return { open, isCode: false, visible: visible + paragraph.slice(from) };
}

/** Opens or closes a mark. One between spaces is a sign of its own, as in `2 * 3`, or a list's. */
function toggle(open: string[], mark: string, before: string, after: string): void {
  if (open.at(-1) === mark && before.trim() !== '') open.pop();
  else if (after === '' || after.trim() !== '') open.push(mark);
}
