/** Thousands of thumbnails: only the rows on the screen exist, and only their pictures are asked for. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from '@tanstack/virtual-core';
import type { JSX } from 'preact';
import { useLayoutEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { PictureEntry, PictureId } from '../engine/protocol.js';
import { words } from '../strings.js';
import { useStore, type Store } from './state.js';

const WIDTH = 96;
const GAP = 8;
/** Thumbnails that are kept, the least recently shown go first: 2,000 of 96×96 are some 70 MB. */
const KEPT = 2000;
/** Drawn in one go: few enough that the page answers between them. */
const TOGETHER = 8;

/** One cache for the page; questions of one frame go to the engine together. */
class ThumbnailCache {
  readonly #bitmaps = new Map<PictureId, ImageBitmap>();
  readonly #wanted = new Map<PictureId, ((bitmap: ImageBitmap | null) => void)[]>();
  readonly #store: Store;
  #asking = false;

  constructor(store: Store) {
    this.#store = store;
  }

  get(id: PictureId): ImageBitmap | undefined {
    const bitmap = this.#bitmaps.get(id);
    if (bitmap) {
      this.#bitmaps.delete(id);
      this.#bitmaps.set(id, bitmap);
    }
    return bitmap;
  }

  /** @returns what takes the question back */
  ask(id: PictureId, answer: (bitmap: ImageBitmap | null) => void): () => void {
    this.#wanted.set(id, [...(this.#wanted.get(id) ?? []), answer]);
    if (!this.#asking) {
      this.#asking = true;
      requestAnimationFrame(() => void this.#fetch());
    }
    return () => {
      const others = this.#wanted.get(id)?.filter((each) => each !== answer) ?? [];
      if (others.length > 0) this.#wanted.set(id, others);
      else this.#wanted.delete(id);
    };
  }

  /** Those that were asked last are on the screen: they come first, and few at a time. */
  async #fetch(): Promise<void> {
    while (this.#wanted.size > 0) {
      const ids = [...this.#wanted.keys()].slice(-TOGETHER);
      const asked = ids.map((id) => [id, this.#wanted.get(id) ?? []] as const);
      for (const id of ids) this.#wanted.delete(id);
      const bitmaps = await this.#store.attempt(() => this.#store.engine.pictures.thumbnails(ids));
      for (const [at, [id, answers]] of asked.entries()) {
        const bitmap = bitmaps?.[at] ?? null;
        if (bitmap) this.#bitmaps.set(id, bitmap);
        for (const answer of answers) answer(bitmap);
      }
      while (this.#bitmaps.size > KEPT) {
        const [[oldest, bitmap]] = this.#bitmaps;
        bitmap.close();
        this.#bitmaps.delete(oldest);
      }
    }
    this.#asking = false;
  }
}
const caches = new WeakMap<Store, ThumbnailCache>();
export function useThumbnails(): ThumbnailCache {
  const store = useStore();
  const cache = caches.get(store) ?? new ThumbnailCache(store);
  caches.set(store, cache);
  return cache;
}

export function Thumbnail({ id }: { id: PictureId }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const cache = useThumbnails();
  useLayoutEffect(() => {
    let isWanted = true;
    // A canvas that is drawn on is handed over in every frame, whether it changed or not; one that shows a bitmap only once.
    const show = (bitmap: ImageBitmap | null): void =>
      canvas.current?.getContext('bitmaprenderer')?.transferFromImageBitmap(bitmap);
    const showCopy = async (bitmap: ImageBitmap | null): Promise<void> => {
      if (!bitmap) return;
      const copy = await createImageBitmap(bitmap);
      if (isWanted) show(copy);
    };
    const known = cache.get(id);
    if (!known) show(null);
    const leave = known ? void showCopy(known) : cache.ask(id, (bitmap) => void showCopy(bitmap));
    return () => {
      isWanted = false;
      leave?.();
    };
  }, [id, cache]);
  return <canvas ref={canvas} width="1" height="1" aria-hidden="true" />;
}

interface ThumbnailsProps {
  readonly pictures: readonly PictureEntry[];
  readonly selected: ReadonlySet<PictureId>;
  readonly onSelect: (ids: ReadonlySet<PictureId>) => void;
  readonly onOpen: (picture: PictureEntry) => void;
  readonly onRemove: (ids: readonly PictureId[]) => void;
}

export function Thumbnails({ pictures, selected, onSelect, onOpen, onRemove }: ThumbnailsProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((times: number) => times + 1, 0);
  const [width, setWidth] = useState(6 * (WIDTH + GAP)); // asked where it changes alone: each question has the page laid out
  const [focus, setFocus] = useState(0);
  const anchor = useRef(0);
  const virtual = useRef<Virtualizer<HTMLDivElement, HTMLDivElement> | null>(null);
  const columns = Math.max(2, Math.floor((width - GAP) / (WIDTH + GAP)));
  const rows = Math.ceil(pictures.length / columns);
  const size = (width - GAP) / columns;
  const options = {
    count: rows,
    getScrollElement: () => box.current,
    estimateSize: () => size,
    overscan: 3,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => redraw(0),
  };
  virtual.current ??= new Virtualizer(options);
  virtual.current.setOptions(options);
  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return undefined;
    const fit = (): void => setWidth(current.clientWidth);
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(current);
    const unmount = virtual.current?._didMount();
    return () => {
      observer.disconnect();
      unmount?.();
    };
  }, []);
  useLayoutEffect(() => virtual.current?._willUpdate());
  useLayoutEffect(() => virtual.current?.measure(), [columns, size]);
  const at = Math.min(focus, pictures.length - 1);
  const shown = virtual.current.getVirtualItems();
  const isShown = shown.some(({ index }) => index === Math.floor(at / columns));

  const range = (from: number, to: number): PictureId[] =>
    pictures.slice(Math.min(from, to), Math.max(from, to) + 1).map(({ id }) => id);
  const choose = (place: number, extend: boolean, add: boolean): void => {
    const { id } = pictures[place];
    if (extend) onSelect(new Set([...(add ? selected : []), ...range(anchor.current, place)]));
    else {
      anchor.current = place;
      if (add || (selected.size === 1 && selected.has(id))) {
        const next = new Set(selected);
        if (!next.delete(id)) next.add(id);
        onSelect(next);
      } else onSelect(new Set([id]));
    }
    setFocus(place);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const perPage = columns * Math.max(1, Math.floor((box.current?.clientHeight ?? size) / size));
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      PageUp: -perPage,
      PageDown: perPage,
      Home: -pictures.length,
      End: pictures.length,
    };
    if (event.key in steps) {
      const next = Math.min(pictures.length - 1, Math.max(0, at + steps[event.key]));
      virtual.current?.scrollToIndex(Math.floor(next / columns));
      if (event.shiftKey) choose(next, true, false);
      else anchor.current = next;
      setFocus(next);
    } else if (event.key === ' ') choose(at, event.shiftKey, true);
    else if (event.key === 'Enter') onOpen(pictures[at]);
    else if (event.key === 'Delete' || event.key === 'Backspace')
      onRemove(selected.size > 0 ? [...selected] : [pictures[at].id]);
    else if (event.key === 'Escape') onSelect(new Set());
    else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) onSelect(new Set(pictures.map(({ id }) => id)));
    else return;
    event.preventDefault();
  };
  return (
    <div
      class="thumbnails"
      ref={box}
      onKeyDown={onKeyDown}
      role="listbox"
      aria-multiselectable="true"
      aria-label={words.pictures.grid}
      tabIndex={0}
      aria-activedescendant={isShown ? `picture-${at}` : undefined}
    >
      <div class="all" role="presentation" style={{ height: `${virtual.current.getTotalSize()}px` }}>
        {shown.map((row) =>
          pictures.slice(row.index * columns, (row.index + 1) * columns).map((picture, column) => {
            const place = row.index * columns + column;
            const { id, file, class: className, part, badges } = picture;
            const worst =
              badges.find(({ severity }) => severity === 'problem') ??
              badges.find(({ severity }) => severity === 'warning');
            return (
              <div
                key={id}
                class="thumbnail"
                role="option"
                id={`picture-${place}`}
                data-active={place === at}
                aria-selected={selected.has(id)}
                aria-posinset={place + 1}
                aria-setsize={pictures.length}
                aria-label={words.pictures.pictureLabel(
                  file,
                  className,
                  words.pictures.parts[part],
                  badges.map(({ kind }) => kind).join(', '),
                )}
                title={file}
                style={{
                  transform: `translate(${column * size}px, ${row.start}px)`,
                  width: `${size - GAP}px`,
                  height: `${size - GAP}px`,
                }}
                onClick={(event) => choose(place, event.shiftKey, event.ctrlKey || event.metaKey)}
                onDblClick={() => onOpen(picture)}
              >
                <Thumbnail id={id} />
                <span class="caption">{className}</span>
                {part !== 'training' && <span class="part">{words.pictures.parts[part]}</span>}
                {worst && <span class={`chip ${worst.severity}`}>{worst.kind}</span>}
              </div>
            );
          }),
        )}
      </div>
    </div>
  );
}
