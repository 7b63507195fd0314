/** What happened, the newest first. */
import { faultName } from './signs.js';

const MOST_SHOWN = 30;
/** By id, so that nothing stands there twice after a connection was lost. */
const events = new Map();

/** @param {any} event */
export function remember(event) {
  events.set(event.id, event);
  if (events.size > 300) events.delete(events.keys().next().value);
}

/** @param {HTMLElement} list */
export function drawHistory(list) {
  const newest = [...events.values()].toSorted((a, b) => (a.at < b.at ? 1 : -1)).slice(0, MOST_SHOWN);
  const lines = newest.map((event) => {
    const { lamp, word, detail } = inWords(event);
    const line = document.createElement('li');
    if (lamp) line.dataset.lamp = lamp;
    const time = document.createElement('time');
    time.textContent = new Date(event.at).toLocaleTimeString([], {
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    const what = document.createElement('b');
    what.textContent = word;
    const more = document.createElement('span');
    more.textContent = detail;
    line.append(time, what, more);
    return line;
  });
  if (lines.length === 0) {
    const none = document.createElement('li');
    none.className = 'nothing';
    none.textContent = 'Nothing since the line began.';
    lines.push(none);
  }
  list.replaceChildren(...lines);
}

const titleOf = ({ camera, region }) =>
  camera ? (region && region !== 'all' ? `${camera}, ${region}` : camera) : 'Line';

function inWords(event) {
  const word = titleOf(event);
  if (event.kind === 'alarm') {
    const what = { alarm: 'alarm: ', acknowledged: '', held: 'held: ', clear: 'clear: ' }[event.state];
    return { lamp: event.state === 'clear' ? 'ok' : 'alarm', word, detail: `${what}${event.reason}` };
  }
  if (event.kind === 'fault') {
    const lamp = event.active ? (event.fault === 'no-verdict' ? 'no verdict' : 'fault') : 'ok';
    const name = `${faultName(event.fault)}${event.active ? '' : ' is over'}`;
    return { lamp, word, detail: `${name}: ${event.detail}` };
  }
  return { lamp: event.level === 'warning' ? 'fault' : null, word: 'Note', detail: event.detail };
}
