/**
 * Where the page comes from. Static hosting keeps it for when there is no network; `beltnet ui` marks it, is there whenever it is wanted,
 * and may bring a run.
 */
import type { PictureUse } from '../../src/index.js';
import { tellAdded } from './screens/adding.js';
import type { Store } from './screens/state.js';
import { words } from './strings.js';

const mark = document.querySelector<HTMLMetaElement>('meta[name="beltnet-served"]')?.content ?? '';
const isServed = mark !== '';

/** Projects are kept by address: the two names of this machine are two. */
export function takeOneName(): boolean {
  if (!isServed || location.hostname !== 'localhost') return false;
  location.hostname = '127.0.0.1';
  return true;
}

/** Opens the run that the server has; once: the next time it is there, by its content. */
export async function openServedRun(store: Store): Promise<void> {
  const [, run] = /^run (.+)$/.exec(mark) ?? [];
  if (run === undefined) return;
  await store.attempt(async () => {
    const archive = await (await fetch('./run.zip')).blob();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await archive.arrayBuffer()));
    const name = `${run} (${[...digest.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join('')})`;
    const { projects } = store.engine;
    const known = (await projects.list()).find((each) => each.name === name);
    await store.switchTo(async () => {
      if (known) return projects.open(known.id);
      await projects.create(name);
      return store.engine.files.importRun(archive, run);
    });
    store.go('try');
    await addServedPictures(store);
  });
}

/** The pictures of the served run that the project has not got yet; what cannot be had is named. */
async function addServedPictures(store: Store): Promise<void> {
  const places = (await (await fetch('./pictures.json')).json()) as string[];
  if (places.length === 0) store.notify({ tone: 'warning', title: words.served.none, text: '' });
  const known = new Set(store.state.pictures.map(({ file, part }) => `${folderOf[part]}/${file}`));
  const wanted = places.flatMap((path, n) =>
    known.has(path) ? [] : [{ path, url: new URL(`./picture?n=${n}`, location.href).href }],
  );
  if (wanted.length === 0) return;
  const { ids, refused } = await store.engine.pictures.addFrom(wanted);
  tellAdded(store, { ids, refused });
  await store.loadPictures();
}

const folderOf: Readonly<Record<PictureUse, string>> = { training: 'train', validation: 'val', test: 'test' };

export function keepOffline(store: Store): void {
  if (isServed || !('serviceWorker' in navigator) || !import.meta.env.PROD) return;
  let isReloading = false;
  const tell = (waiting: ServiceWorker): void => {
    store.notify({
      tone: 'warning',
      title: words.update.told,
      text: '',
      act: { label: words.update.act, run: () => waiting.postMessage('take over') },
    });
  };
  const follow = (registration: ServiceWorkerRegistration): void => {
    // A page that nothing controls yet is itself the newest.
    if (registration.waiting && navigator.serviceWorker.controller) tell(registration.waiting);
    registration.addEventListener('updatefound', () => {
      const { installing } = registration;
      installing?.addEventListener('statechange', () => {
        if (installing.state === 'installed' && navigator.serviceWorker.controller) tell(installing);
      });
    });
  };
  const hadController = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (!hadController || isReloading) return;
    isReloading = true;
    location.reload();
  });
  // Without a service worker the page works as well, with a network: private windows may forbid it.
  navigator.serviceWorker.register('./sw.js').then(follow, () => {});
}
