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
