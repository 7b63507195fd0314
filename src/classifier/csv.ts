/** Lines of tables for spreadsheets and programs. */
import { expectArray, refuse } from '../expect.js';

/** @returns the line with its end */
export function csvLine(cells: readonly (string | number | boolean)[]): string {
  expectArray(cells, 'csvLine: cells');
  for (const cell of cells)
    if (!['string', 'number', 'boolean'].includes(typeof cell))
      refuse(cell, 'csvLine: a cell', 'a text, a number or a flag');
  return `${cells.map((cell) => (typeof cell === 'string' ? csvCell(cell) : String(cell))).join(',')}\n`;
}

/**
 * RFC 4180: what would break the line apart goes in quotes, quotes are doubled. Names may hold anything: what a spreadsheet would take
 * for a formula begins with an apostrophe.
 */
function csvCell(text: string): string {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  // oxlint-disable-next-line no-control-regex
  return /[",\u0000-\u001f\u2028\u2029]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
