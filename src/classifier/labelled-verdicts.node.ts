/** What a model says of labelled pictures, one by one. */
import { listLabelled } from '../data/sources/splits.node.js';
import { DataError } from '../errors.js';
import { expectObject, expectText } from '../expect.js';
import type { ClassifyPathsOptions, FileClassification, NodeClassifier } from './classifier.node.js';
import { expectClassifier } from './classifier.js';
import type { Verdict } from './verdict.js';

export interface LabelledVerdict {
  readonly path: string;
  /** Whether the label is the class that raises the alert. */
  readonly isAlert: boolean;
  readonly verdict: Verdict & Pick<FileClassification, 'inTraining'>;
}

/**
 * @param labelled class folders or a manifest; of a divided set the training part, so that a test's own folder is to be named
 * @returns a verdict for each picture, in the order of the list
 * @throws DataError for labels without the class that raises the alert, and for a picture that has no verdict
 */
export async function classifyLabelled(
  classifier: NodeClassifier,
  labelled: string,
  options: Partial<ClassifyPathsOptions> = {},
): Promise<LabelledVerdict[]> {
  expectClassifier(classifier, 'classifyLabelled: classifier');
  expectText(labelled, 'classifyLabelled: path');
  expectObject(options, 'classifyLabelled: options');
  const { className } = classifier.info.alert;
  const { files, classNames } = await listLabelled(labelled);
  if (!classNames.includes(className))
    throw new DataError(`${labelled}: expects the class '${className}' among its labels, got ${classNames.join(', ')}`);
  const results = new Map<string, FileClassification>();
  const paths = files.map(({ path }) => path);
  await classifier.classifyPaths(paths, {
    ...options,
    onResult(result, total) {
      if ('error' in result) throw result.error;
      results.set(result.file, result);
      options.onResult?.(result, total);
    },
  });
  return files.map(({ path, label }) => {
    const verdict = results.get(path);
    if (!verdict || 'error' in verdict) throw new DataError(`${path}: has no verdict`);
    return { path, isAlert: classNames[label] === className, verdict };
  });
}
