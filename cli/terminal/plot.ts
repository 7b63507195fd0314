/** A curve in plain characters. */

const ROWS = 10;
const LEAST_COLUMNS = 20;
/** From the greatest value down; less is drawn as that. */
const DECADES = 3;

/**
 * Values from left to right on a logarithmic scale, with a line down to the mark below one of them.
 *
 * @param marked index of the value that is marked
 * @param ends what stands below the first and the last value
 * @param columns of the terminal
 */
export function plot(
  values: readonly number[],
  {
    marked,
    ends,
    columns,
  }: { readonly marked: number; readonly ends: readonly [string, string]; readonly columns: number },
): string[] {
  const greatest = Math.max(...values, Number.MIN_VALUE);
  const least = Math.max(Math.min(...values), greatest / 10 ** DECADES);
  const names = [greatest, least].map((value) => value.toPrecision(2));
  const margin = Math.max(...names.map((name) => name.length));
  const width = Math.max(LEAST_COLUMNS, columns - margin - 2);
  const scale = Math.log(greatest / least) || 1;
  const heights = Array.from({ length: width }, (_, column) => {
    const value = values[Math.round((column * (values.length - 1)) / (width - 1))];
    return Math.round((Math.log(Math.max(value, least) / least) / scale) * (ROWS - 1));
  });
  const mark = Math.round((marked * (width - 1)) / Math.max(1, values.length - 1));
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const line = heights.map((height, column) => {
      if (height === ROWS - 1 - row) return '*';
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
