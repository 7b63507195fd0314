/** The camera, whose pictures go to the class whose button is held. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { words } from '../strings.js';
import { Camera } from './camera.js';
import { Button, NameForm } from './parts.js';
import { useStore, useView } from './state.js';

/** The camera in place of the gallery, while pictures are collected. */
export function Collecting({ onClose }: { onClose: () => void }): JSX.Element {
  const store = useStore();
  const project = useView((state) => state.project);
  const [added, setAdded] = useState<readonly string[]>([]);
  const names = [...new Set([...(project?.classes.map(({ name }) => name) ?? []), ...added])];
  const [counts, setCounts] = useState<Readonly<Record<string, number>>>({});
  const [holding, setHolding] = useState<string | null>(null);
  const record = async (frame: ImageBitmap): Promise<void> => {
    if (holding === null) return frame.close();
    const kept = await store.attempt(async () => {
      await store.needProject();
      return store.engine.pictures.addFrame(frame, holding);
    });
    if (kept === null) setHolding(null);
    else setCounts((before) => ({ ...before, [holding]: (before[holding] ?? 0) + kept.ids.length }));
    return undefined;
  };
  const hold = (className: string) => ({
    onPointerDown: (event: PointerEvent) => {
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      setHolding(className);
    },
    onPointerUp: () => setHolding(null),
    onPointerCancel: () => setHolding(null),
    onKeyDown: (event: KeyboardEvent) =>
      [' ', 'Enter'].includes(event.key) && (event.preventDefault(), setHolding(className)),
    onKeyUp: () => setHolding(null),
    onBlur: () => setHolding(null),
    onContextMenu: (event: Event) => event.preventDefault(),
  });
  return (
    <div class="split collecting">
      <section class="card fill">
        <div class="toolbar">
          <h2>{words.camera.title}</h2>
          <span class="spacer" />
          <Button icon="close" kind="quiet" label={words.close} onClick={onClose} />
        </div>
        <Camera perSecond={holding === null ? 0 : 4} onFrame={record} recording={holding !== null} withRegion />
      </section>
      <aside>
        <section class="card">
          <h2>{words.pictures.classes}</h2>
          {names.length === 0 && <p class="quiet">{words.camera.noClasses}</p>}
          <div class="holds">
            {names.map((each) => (
              <button
                key={each}
                type="button"
                class={`hold ${holding === each ? 'on' : ''}`}
                aria-label={words.camera.hold(each)}
                {...hold(each)}
              >
                <strong>{each}</strong>
                <span>
                  {holding === each || counts[each]
                    ? words.camera.recording(counts[each] ?? 0)
                    : words.camera.holdShort}
                </span>
              </button>
            ))}
          </div>
          <NameForm
            value=""
            label={words.pictures.newClassName}
            act={words.pictures.addClass}
            onName={(next) => setAdded([...added, next])}
          />
        </section>
      </aside>
    </div>
  );
}
