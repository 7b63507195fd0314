/** Files come into the project, and what cannot be used is told. */
import type { Added, GivenFile } from '../engine/protocol.js';
import { words } from '../strings.js';
import type { Store } from './state.js';

/** Refused files that are named; of the others there is a number. */
const NAMED = 5;

export const accept = '.jpg,.jpeg,.png,.bmp,image/jpeg,image/png,image/bmp';

/** Adds files to the project, which is made where there is none, and tells what could not be used. */
export async function addGiven(store: Store, files: readonly GivenFile[], className?: string): Promise<void> {
  if (files.length === 0) return;
  await store.attempt(async () => {
    await store.needProject();
    tellAdded(store, await store.engine.pictures.add(files, className));
  });
  await store.loadPictures();
}

export function tellAdded(store: Store, { ids, refused }: Added): void {
  if (ids.length > 0) store.notify({ tone: 'info', title: words.pictures.added(ids.length), text: '' });
  if (refused.length > 0)
    store.notify({
      tone: 'warning',
      title: words.pictures.refused(refused.length),
      text: refused.length > NAMED ? words.pictures.refusedMore(refused.length - NAMED) : '',
      lines: refused.slice(0, NAMED).map(({ path, reason }) => (reason.includes(path) ? reason : `${path}: ${reason}`)),
    });
}
