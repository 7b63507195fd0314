/** The card of a model, which is Markdown of few kinds: headings, paragraphs, lists and tables. Nothing of it becomes markup. */
import { make } from '../shared/dom.js';

/** Escaped characters, code in one or two backticks, and words that are bold. */
const INLINE = /\\(.)|``\s(.*?)\s``|`([^`]*)`|__(.+?)__/g;

/** @returns texts and elements */
function inline(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, escaped, quoted, code = quoted, bold] = match;
    parts.push(text.slice(from, match.index));
    if (escaped !== undefined) parts.push(escaped);
    else if (bold !== undefined) parts.push(make('strong', {}, ...inline(bold)));
    else parts.push(make('code', {}, code));
    from = match.index + all.length;
  }
  return [...parts, text.slice(from)];
}

/** The cells of "| a | b |", in which an escaped bar is no border. */
const cellsOf = (line) =>
  (line.match(/(?:\\.|[^|\\])+/g) ?? []).map((cell) => cell.trim()).filter((cell) => cell !== '');

function table([header, , ...rows]) {
  const row = (tag, line) => make('tr', {}, ...cellsOf(line).map((cell) => make(tag, {}, ...inline(cell))));
  return make(
    'div',
    { className: 'scroll', tabIndex: 0 },
    make('table', {}, make('thead', {}, row('th', header)), make('tbody', {}, ...rows.map((line) => row('td', line)))),
  );
}

/** @param text of card.md. @returns elements */
export function cardOf(text) {
  return text
    .split(/\n{2,}/)
    .map((block) => block.split('\n').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const [first] = lines;
      const heading = /^(#+) (.*)$/.exec(first);
      if (heading) return make('h3', {}, ...inline(heading[2]));
      if (first.startsWith('| ')) return table(lines);
      if (first.startsWith('- '))
        return make('ul', {}, ...lines.map((line) => make('li', {}, ...inline(line.replace(/^- /, '')))));
      return make('p', {}, ...inline(lines.join(' ')));
    });
}
