/** What the server tells, as Server-Sent Events read by fetch: an EventSource cannot say a token. */

/** The server says something every two seconds at least. Milliseconds. */
const LONGEST_SILENCE = 6000;
const SOONEST_RETRY = 500;
const LATEST_RETRY = 5000;

/**
 * Listens for ever, and begins again whenever it must.
 * @param {string} path
 * @param {() => string | null} token
 * @param {(name: string, data: any) => void} onMessage
 * @param {(problem: { status: number | null, reason: string }) => void} onProblem
 */
export async function listen(path, token, onMessage, onProblem) {
  for (let wait = SOONEST_RETRY; ; wait = Math.min(LATEST_RETRY, wait * 2)) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), LONGEST_SILENCE);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), LONGEST_SILENCE);
      wait = SOONEST_RETRY;
    };
    try {
      const answer = await fetch(path, { headers: headersOf(token()), signal: silence.signal, cache: 'no-store' });
      if (!answer.ok) onProblem({ status: answer.status, reason: (await answer.text()).trim() });
      else {
        await read(answer.body, (name, data) => {
          heard();
          onMessage(name, data);
        });
        onProblem({ status: null, reason: 'The server has ended the connection.' });
      }
    } catch {
      const reason = silence.signal.aborted ? 'The server says nothing.' : 'The server cannot be reached.';
      onProblem({ status: null, reason });
    }
    clearTimeout(timer);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** @param {string | null} token */
export const headersOf = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/** @param {ReadableStream<Uint8Array>} body @param {(name: string, data: any) => void} onMessage */
async function read(body, onMessage) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const fields = Object.fromEntries(message.split('\n').map((line) => line.split(/: (.*)/s, 2)));
      if (fields.data !== undefined) onMessage(fields.event ?? 'message', JSON.parse(fields.data));
    }
  }
}
