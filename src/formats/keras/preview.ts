/** The beginning of a value from a file, for messages. */
export function preview(value: unknown): string {
  try {
    const text = JSON.stringify(value) ?? 'nothing';
    return text.length > 100 ? `${text.slice(0, 100)}…` : text;
  } catch {
    return 'a value nested too deep to be shown'; // the only thing that JSON from a file cannot be turned back into
  }
}
