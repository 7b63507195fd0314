/** The page begins here: the engine in its worker, the state, the screens. */
import { render } from 'preact';
import { openEngine } from './engine/engine.js';
import { keepOffline, openServedRun, takeOneName } from './hosting.js';
import { App } from './screens/app.js';
import { errorOf, Store, StoreProvider } from './screens/state.js';
import { words } from './strings.js';

const place = document.getElementById('app') as HTMLElement;

async function begin(): Promise<void> {
  if (takeOneName()) return;
  const store = new Store(await openEngine());
  render(
    <StoreProvider value={store}>
      <App />
    </StoreProvider>,
    place,
  );
  await store.begin();
  await openServedRun(store);
  keepOffline(store);
}

render(<p class="waiting quiet">{words.loading}</p>, place);
try {
  await begin();
} catch (error) {
  // Nothing can be done without the engine; the words are all there is to show.
  render(
    <p class="waiting" role="alert">
      {words.broken} {errorOf(error).message}
    </p>,
    place,
  );
}
