/** How help fits the terminal: Commander's form of it, and the prose below. */
import { Help, type Command } from 'commander';
import { wrapped } from './output.js';

/** Commander leaves descriptions unbroken where less is left for them. */
const NARROWEST_DESCRIPTION = 40;

/** For `configureHelp`: where the terminal is narrow, what is said of an option stands below it. */
export const narrowHelp = {
  minWidthToWrap: 20,
  formatItem(term: string, termWidth: number, description: string, helper: Help): string {
    const columns = helper.helpWidth ?? 80;
    if (columns - termWidth - 4 >= NARROWEST_DESCRIPTION || description === '')
      return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
    return [`  ${term}`, ...wrapped(`      ${description}`, { columns, indent: '      ' })].join('\n');
  },
};

/** Sentences are written in lines that suit an editor: a line goes on in the next, unless it ends a sentence or the next is indented. */
export function helpProse(text: string, command: Command): string {
  const columns = command.configureOutput().getOutHelpWidth?.() ?? 80;
  const paragraphs = text.split(/(?<=[.:])\n|\n(?= )/);
  return paragraphs.flatMap((one) => wrapped(one.replaceAll('\n', ' '), { columns })).join('\n');
}
