/** JSON from files that may be hostile: what JSON.parse hides or lets pass is refused here. */

/** The limit of safetensors' reference implementation. Deeper values exhaust the stack of whoever walks them. */
const DEEPEST = 128;

/** Says what was expected and what was received, and throws. */
export type Refuse = (expected: string, received: string) => never;

/**
 * @param what the text is, for messages
 * @throws what `refuse` throws, for text that is no JSON, is nested too deep, or has a key twice in one object
 */
export function parseJson(text: string, what: string, refuse: Refuse): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    refuse(`JSON in ${what}`, JSON.stringify(text.slice(0, 60)));
  }
  checkKeys(text, what, refuse);
  return value;
}

function checkKeys(validJson: string, what: string, refuse: Refuse): void {
  /** Keys so far of the objects that the place lies in; null for arrays. */
  const around: (Set<string> | null)[] = [];
  for (let at = 0; at < validJson.length; at++) {
    const character = validJson[at];
    if (character === '{' || character === '[') {
      if (around.push(character === '{' ? new Set() : null) > DEEPEST)
        refuse(`${what} at most ${DEEPEST} levels deep`, 'a deeper one');
    } else if (character === '}' || character === ']') {
      around.pop();
    } else if (character === '"') {
      const start = at;
      for (at++; validJson[at] !== '"'; at++) if (validJson[at] === '\\') at++;
      let next = at + 1;
      while (' \t\n\r'.includes(validJson[next])) next++;
      if (validJson[next] !== ':') continue; // a value
      const key = JSON.parse(validJson.slice(start, at + 1)) as string;
      const keys = around.at(-1);
      if (keys?.has(key)) refuse(`every key once in ${what}`, `'${key}' twice`);
      keys?.add(key);
    }
  }
}

/**
 * A value as JSON with sorted keys and without spaces, so that equal values give equal texts (RFC 8785).
 * @param what the value is, for messages
 * @throws what `refuse` throws, for what JSON cannot hold: it would be left out or become null without a word
 */
export function canonicalJson(value: unknown, what: string, refuse: Refuse, depth = 0): string {
  if (depth > DEEPEST) refuse(`${what} at most ${DEEPEST} levels deep`, 'a deeper one');
  const inside = (each: unknown): string => canonicalJson(each, what, refuse, depth + 1);
  if (Array.isArray(value)) return `[${Array.from(value, inside).join()}]`;
  if (Object.prototype.toString.call(value) === '[object Object]') {
    const entries = Object.entries(value as object).filter(([, each]) => each !== undefined);
    const sorted = entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${sorted.map(([key, each]) => `${JSON.stringify(key)}:${inside(each)}`).join()}}`;
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
    return JSON.stringify(value);
  return refuse(
    `${what} of texts, finite numbers, lists and objects`,
    typeof value === 'number' ? `${value}` : `a ${typeof value}`,
  );
}
