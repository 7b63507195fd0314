/**
 * The pictures of a run, for the page: those that its pictures.jsonl names, as long as they are where they were and what they were.
 * They are asked for by number, and a file is given only when it has the hash that the run has of it: whatever a manifest names, nothing
 * leaves that did not train, choose for or judge this model.
 */
import { createHash } from 'node:crypto';
import { readPictureBytes } from '../data/pictures/read-picture.node.js';
import { DataError } from '../errors.js';
import { manifestLines, type ManifestLine } from '../classifier/picture-manifest.js';
import { readPictures } from '../classifier/run.node.js';
import { Refused } from './answers.js';
import type { Route } from './server.node.js';

/** As data sets on a disk have them. */
const folders = { training: 'train', validation: 'val', test: 'test' } as const;

/** `train/gap/1.jpg`, unique: the part, the class and the name of each. */
function placesOf(lines: readonly ManifestLine[]): string[] {
  const taken = new Set<string>();
  return lines.map(({ set, label, file }) => {
    const name = file.replaceAll('\\', '/').split('/').at(-1) ?? file;
    const [, stem, ending] = /^(.*?)((?:\.[^.]*)?)$/s.exec(name) as RegExpExecArray;
    for (let n = 1; ; n++) {
      const place = `${folders[set]}/${label}/${n === 1 ? name : `${stem}-${n}${ending}`}`;
      if (taken.has(place)) continue;
      taken.add(place);
      return place;
    }
  });
}

/** @param run the folder of a run @throws UsageError for a torn manifest, as long as it is so */
export function pictureRoutes(run: string): Route[] {
  let listed: Promise<ManifestLine[]> | null = null;
  const list = (): Promise<ManifestLine[]> => {
    listed ??= readPictures(run).then((text) => manifestLines(text ?? ''));
    listed.catch(() => (listed = null));
    return listed;
  };
  return [
    {
      method: 'GET',
      path: '/pictures.json',
      answer: async () => ({ type: 'application/json', body: JSON.stringify(placesOf(await list())) }),
    },
    {
      method: 'GET',
      path: '/picture',
      async answer({ query }) {
        const line = (await list())[Number(query.get('n') ?? Number.NaN)] as ManifestLine | undefined;
        if (!line) throw new Refused(404, 'the run has no picture of that number');
        return { type: 'application/octet-stream', body: bytesOf(line) };
      },
    },
  ];
}

/** @throws Refused for a picture that is gone, or is another by now */
function bytesOf({ file, sha256 }: ManifestLine): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readPictureBytes(file);
  } catch (error) {
    if (error instanceof DataError) throw new Refused(404, `${file}: is not where it was when the run was trained`);
    throw error;
  }
  if (createHash('sha256').update(bytes).digest('hex').startsWith(sha256)) return bytes;
  throw new Refused(409, `${file}: was changed since the run was trained`);
}
