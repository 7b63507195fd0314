/** Picture files explained: what the model says of each, and where in it that comes from. */
import { expectFunction, expectWhole, objectWith } from '../../expect.js';
import { DataError } from '../../errors.js';
import { crop } from '../../data/pictures/resize.js';
import { decode } from '../../data/pictures/decode.js';
import type { Picture } from '../../data/pictures/picture.js';
import { readPictureBytes } from '../../data/pictures/read-picture.node.js';
import { loadPictures, type LoadedPicture } from '../../data/store/stream-pictures.node.js';
import { expectClassifier, type Classifier } from '../classifier.js';
import type { PicturePreparation } from '../preparation.js';
import { judge, type NoVerdict, type Verdict } from '../verdict.js';
import { agreement, explainPictures, occlusion, type ExplainOptions } from './explain.js';
import { hottest } from './grad-cam.js';
import { overlay, scaled, type HeatMap } from './heat-map.js';

export interface Explanation {
  readonly file: string;
  readonly verdict: Verdict;
  /** The class that the map speaks for. */
  readonly about: string;
  readonly map: HeatMap;
  /** Where the map is largest, as parts of width and height; null where nothing speaks for the class. */
  readonly hottest: { readonly x: number; readonly y: number } | null;
  /** Correlation with occlusion, if that was asked for; NaN where one of them says nothing. */
  readonly agreement?: number;
  /** What the model was given of the file, as large as it is there. */
  readonly picture: Picture;
  /** The same in grey, with the map in colours. */
  readonly overlay: Picture;
}

export interface ExplainPathsOptions extends ExplainOptions {
  /** Default: of each picture the class that the model takes it for. */
  readonly className?: string | undefined;
  readonly withOcclusion?: boolean;
  readonly onResult: (
    result: Explanation | (NoVerdict & { readonly file: string }),
    total: number,
  ) => void | Promise<void>;
}

/** @param paths files, folders, patterns with `*`, manifests and practice sets. @throws DataError, UsageError */
export async function explainPaths(
  classifier: Classifier,
  paths: readonly string[],
  given: ExplainPathsOptions,
): Promise<void> {
  expectClassifier(classifier, 'explainPaths: classifier');
  objectWith({ onResult: expectFunction })(given, 'explainPaths: options');
  const { className, withOcclusion = false, onResult, batchSize = 16, ...options } = given;
  expectWhole(batchSize, 'explainPaths: batchSize', 1, 2 ** 20);
  const { preparation, info } = classifier;
  const loaded = await loadPictures(paths, preparation.picture);
  for (let first = 0; first < loaded.length; first += batchSize) {
    const some = loaded.slice(first, first + batchSize);
    for (const one of some)
      if ('error' in one) await onResult({ file: one.file, error: new DataError(one.error) }, loaded.length);
    const good = some.filter((one): one is Extract<LoadedPicture, { picture: Picture }> => 'picture' in one);
    if (good.length === 0) continue;
    const pictures = new Uint8Array(Buffer.concat(good.map(({ picture }) => picture.data)));
    const predictions = await classifier.predict(pictures);
    const verdicts = good.map(({ file }, n) => judge(predictions[n], info, file));
    const about = verdicts.map((verdict) => className ?? verdict.class);
    const maps = await explainPictures(classifier, pictures, about, { ...options, batchSize });
    for (const [n, { file, picture: prepared }] of good.entries()) {
      const map = scaled(maps[n]);
      const picture = asTaken(file, preparation.picture) ?? prepared;
      const check = withOcclusion && {
        agreement: agreement(maps[n], await occlusion(classifier, prepared.data, about[n])),
      };
      const result = { file, verdict: verdicts[n], about: about[n], map, hottest: hottest(map), ...check };
      await onResult({ ...result, picture, overlay: overlay(picture, map) }, loaded.length);
    }
  }
}

/** The part of a file's picture that the model is given; null for a row of a practice set. */
function asTaken(file: string, { region, exif = false }: PicturePreparation['picture']): Picture | null {
  try {
    const picture = decode(readPictureBytes(file), file, { exif });
    return region ? crop(picture, region) : picture;
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}
