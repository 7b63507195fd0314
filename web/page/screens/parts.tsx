/** Small parts that all screens are made of. */
import { Fragment, type ComponentChildren, type JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../strings.js';

const paths = {
  pictures: 'M4 5h16v14H4zM4 15l4.5-4.5 4 4 3-3L20 16M15 9.2h.01',
  train: 'M4 19V5M4 19h16M7 9c3 0 4 6.5 7 6.5s3-1 6-1',
  try: 'M12 5c-5 0-8.5 7-8.5 7s3.5 7 8.5 7 8.5-7 8.5-7-3.5-7-8.5-7zM12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  prove: 'M12 3l7 3v5.5c0 4.5-3 7.700-7 9.5-4-1.800-7-5-7-9.5V6zM8.800 12l2.300 2.300 4.200-4.300',
  files: 'M8 4v14M8 4L5 7M8 4l3 3M16 20V6M16 20l-3-3M16 20l3-3',
  folder: 'M3.5 6.5h6l2 2.5h9v9.5h-17z',
  file: 'M6 3.5h8l4 4v13H6zM14 3.5v4h4',
  camera: 'M3.5 7.5h4l1.5-2h6l1.5 2h4v11h-17zM12 16a3.200 3.200 0 1 0 0-6.400 3.200 3.200 0 0 0 0 6.400z',
  belt: 'M3 15.5h18M4 7.5h5v5H4zM10.5 7.5h5v5h-5zM6.5 18.7h.01M12 18.7h.01M17.5 18.7h.01',
  bell: 'M6 17h12l-1.5-2.5V10a4.5 4.5 0 0 0-9 0v4.5zM10.5 19.5h3',
  close: 'M6 6l12 12M18 6L6 18',
  pen: 'M5 19l1-4L16 5l3 3L9 18z',
  bin: 'M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13',
  down: 'M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14',
  play: 'M8 5.5v13l10-6.5z',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  stop: 'M7 7h10v10H7z',
  chip: 'M7 7h10v10H7zM10 4v3M14 4v3M10 17v3M14 17v3M4 10h3M4 14h3M17 10h3M17 14h3',
  check: 'M5 12.5l4.5 4.5L19 7.5',
};
export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);

interface ButtonProps {
  readonly children?: ComponentChildren;
  readonly onClick?: () => void;
  readonly icon?: IconName;
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  readonly disabled?: boolean | undefined;
  readonly pressed?: boolean;
  /** For those without visible words. */
  readonly label?: string;
  readonly class?: string;
}

export const Button = ({
  children,
  onClick,
  icon,
  kind = 'plain',
  disabled,
  pressed,
  label,
  class: more = '',
}: ButtonProps): JSX.Element => (
  <button
    type="button"
    class={`button ${kind} ${children === undefined ? 'only-icon' : ''} ${more}`}
    onClick={onClick}
    disabled={disabled}
    aria-pressed={pressed}
    aria-label={label}
    title={label}
  >
    {icon && <Icon name={icon} />}
    {children !== undefined && <span>{children}</span>}
  </button>
);

type Plot = ReturnType<typeof import('../../shared/charts.js').plotInto>;

/** A plot, drawn anew when its options are others. The library of charts is loaded with the first. */
export function Chart({ options, label }: { options: object; label: string }): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const latest = useRef(options);
  latest.current = options;
  useEffect(() => {
    let isShown = true;
    void import('../../shared/charts.js').then(({ plotInto }) => {
      if (isShown && holder.current) plot.current = plotInto(holder.current, latest.current);
    });
    return () => {
      isShown = false;
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => plot.current?.update(options), [options]);
  return <div class="plot" ref={holder} role="img" aria-label={label} />;
}

/** A bitmap, drawn in its own size. */
export function Bitmap({ bitmap, label }: { bitmap: ImageBitmap | null; label: string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const { current } = canvas;
    if (current === null || bitmap === null) return;
    Object.assign(current, { width: bitmap.width, height: bitmap.height });
    current.getContext('2d')?.drawImage(bitmap, 0, 0);
  }, [bitmap]);
  return <canvas ref={canvas} role="img" aria-label={label} class={bitmap && bitmap.width < 200 ? 'coarse' : ''} />;
}

/** A line for the command line, which breaks between its options alone. */
export const CommandLine = ({ line, title }: { line: string; title?: string }): JSX.Element => (
  <div class="command">
    {title !== undefined && <span class="quiet">{title}</span>}
    <code>
      {line.split(/ (?=--)/).map((part, at) => (
        <Fragment key={at}>
          {at > 0 && ' '}
          <span class="together">{part}</span>
        </Fragment>
      ))}
    </code>
    <CopyButton text={line} />
  </div>
);

/** Words in the middle, where there is nothing yet. */
export const Empty = ({
  icon,
  title,
  children,
}: {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
}): JSX.Element => (
  <div class="empty">
    <Icon name={icon} />
    <h2>{title}</h2>
    {children}
  </div>
);

/** A native dialog; Escape and the button close it. */
export function Dialog({
  title,
  onClose,
  children,
  wide,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
}): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class={wide ? 'wide' : ''} aria-label={title} onClose={onClose}>
      <header>
        <h2>{title}</h2>
        <Button icon="close" kind="quiet" label={words.close} onClick={() => dialog.current?.close()} />
      </header>
      {children}
    </dialog>
  );
}

/** A name, and what is done with it. */
export function NameForm(props: {
  readonly value: string;
  readonly label: string;
  readonly act: string;
  readonly onName: (name: string) => void;
}): JSX.Element {
  const [name, setName] = useState(props.value);
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim() === '') return;
        props.onName(name.trim());
        setName(props.value);
      }}
    >
      <input
        value={name}
        aria-label={props.label}
        placeholder={props.label}
        maxLength={100}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <button type="submit" class="button plain" disabled={name.trim() === '' || name.trim() === props.value}>
        {props.act}
      </button>
    </form>
  );
}

/** A button that opens a small panel below itself; a click elsewhere or Escape closes it. */
export function Menu({
  label,
  button,
  children,
}: {
  label: string;
  button: ComponentChildren;
  children: (close: () => void) => ComponentChildren;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const close = (): void => {
    setOpen(false);
    box.current?.querySelector('button')?.focus();
  };
  useEffect(() => {
    if (!open) return undefined;
    const away = (event: Event): void => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', away);
    document.addEventListener('focusin', away);
    return () => {
      document.removeEventListener('pointerdown', away);
      document.removeEventListener('focusin', away);
    };
  }, [open]);
  return (
    <div
      class="menu"
      ref={box}
      onKeyDown={(event) => event.key === 'Escape' && open && (event.stopPropagation(), close())}
    >
      <button
        type="button"
        class="button quiet"
        aria-expanded={open}
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && <div class="panel">{children(close)}</div>}
    </div>
  );
}

export function CopyButton({ text }: { text: string }): JSX.Element {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 2000);
  };
  return <Button onClick={() => void copy().catch(() => {})}>{done ? words.train.copied : words.train.copy}</Button>;
}
