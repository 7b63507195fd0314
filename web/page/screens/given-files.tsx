/** Files that come into the page, by a dialog or dropped on it, and those that leave it. */
import type { ComponentChildren, JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { GivenFile, NamedBlob } from '../engine/protocol.js';

/** Opens the browser's dialog for files or a folder. */
export function chooseFiles(options: {
  readonly folder?: boolean;
  readonly multiple?: boolean;
  readonly accept?: string;
}): Promise<GivenFile[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    Object.assign(input, {
      type: 'file',
      multiple: options.multiple ?? false,
      accept: options.accept ?? '',
      webkitdirectory: options.folder ?? false,
    });
    input.hidden = true;
    document.body.append(input);
    const done = (files: GivenFile[]): void => {
      input.remove();
      resolve(files);
    };
    input.addEventListener('change', () =>
      done([...(input.files ?? [])].map((file) => ({ file, path: file.webkitRelativePath || file.name }))),
    );
    input.addEventListener('cancel', () => done([]));
    input.click();
  });
}

/** All files of what was dropped, folders and their folders included, with their paths. */
export async function droppedFiles(transfer: DataTransfer): Promise<GivenFile[]> {
  // The list is empty after the event: everything is taken at once.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const files: GivenFile[] = [];
  const walk = async (entry: FileSystemEntry): Promise<void> => {
    if (entry.isFile) {
      const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
      files.push({ file, path: entry.fullPath.slice(1) });
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // A hundred at a time, until there are none.
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) return;
      for (const each of some) await walk(each);
    }
  };
  for (const entry of entries) await walk(entry);
  return files;
}

/** A place to drop on, with a button for those who do not drop. */
export function DropZone(props: {
  readonly onFiles: (files: GivenFile[]) => void;
  readonly children: ComponentChildren;
  readonly class?: string;
}): JSX.Element {
  const [over, setOver] = useState(false);
  return (
    <div
      class={`drop ${over ? 'over' : ''} ${props.class ?? ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={(event) => !event.currentTarget.contains(event.relatedTarget as Node | null) && setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        if (event.dataTransfer) void droppedFiles(event.dataTransfer).then(props.onFiles);
      }}
    >
      {props.children}
    </div>
  );
}

export function download({ name, blob }: NamedBlob): void {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
