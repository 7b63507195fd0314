/** A curve in plain characters. */
import { outputColumns } from './output.js';

const ROWS = 10;
const LEAST_COLUMNS = 20;
const MOST_COLUMNS = 80;
/** From the greatest value down; less is drawn as that. */
const DECADES = 3;

/**
 * Values from left to right on a logarithmic scale, with a line down to the mark below one of them.
 *
 * @param marked index of the value that is marked
 * @param ends what stands below the first and the last value
 */
export function plot(
  values: readonly number[],
  { marked, ends }: { readonly marked: number; readonly ends: readonly [string, string] },
): string[] {
  const greatest = Math.max(...values, Number.MIN_VALUE);
  const least = Math.max(Math.min(...values), greatest / 10 ** DECADES, Number.MIN_VALUE);
  const names = [greatest, least].map((value) => value.toPrecision(2));
  const margin = Math.max(...names.map((name) => name.length));
  const width = Math.max(LEAST_COLUMNS, Math.min(MOST_COLUMNS, outputColumns()) - margin - 2);
  const scale = Math.log(greatest / least) || 1;
  const heights = Array.from({ length: width }, (_, column) => {
    const place = (column * (values.length - 1)) / (width - 1);
    const [before, after] = [Math.floor(place), Math.ceil(place)].map((n) => Math.max(values[n], least));
    const value = before * (after / before) ** (place % 1); // a straight line on this scale
    return Math.round((Math.log(value / least) / scale) * (ROWS - 1));
  });
  const mark = Math.round((marked * (width - 1)) / Math.max(1, values.length - 1));
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const line = heights.map((height, column) => {
      const at = ROWS - 1 - row;
      const beside = heights[column - 1] ?? height;
      if (height === at || (at > Math.min(height, beside) && at < Math.max(height, beside))) return '*';
      return column === mark ? '|' : ' ';
    });
    const name = row === 0 ? names[0] : '';
    return `${(row === ROWS - 1 ? names[1] : name).padStart(margin)} ${line.join('')}`.trimEnd();
  });
  const gap = Math.max(1, width - ends[0].length - ends[1].length);
  const axis = `${ends[0]}${' '.repeat(gap)}${ends[1]}`;
  const marks = `${axis.slice(0, mark)}^${axis.slice(mark + 1)}`;
  return [...rows, `${' '.repeat(margin + 1)}${marks}`];
}
