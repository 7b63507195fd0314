/** The mistakes of an evaluation on one picture: each beside what spoke for the class that it was taken for. */
import { basename } from 'node:path';
import { expectArray, expectText, listOf, objectWith } from '../../expect.js';
import { contactSheet, type SheetCell, type SheetGroup } from '../../data/audit/contact-sheet.js';
import { encodePng } from '../../data/pictures/encode-png.node.js';
import { expectClassifier, type Classifier } from '../classifier.js';
import type { Mistake } from '../evidence.js';
import { explainPaths } from './explain-files.node.js';

/** Pictures on the sheet, the worst ones. */
const MOST = 60;

/**
 * @param mistakes worst first, as an evaluation's evidence has them
 * @param data the pictures in words
 * @returns a PNG and how many mistakes are on it; null where none has a file that can be read
 */
export async function mistakesSheet(
  classifier: Classifier,
  mistakes: readonly Mistake[],
  data: string,
): Promise<{ readonly png: Uint8Array; readonly shown: number } | null> {
  expectClassifier(classifier, 'mistakesSheet: classifier');
  expectArray(mistakes, 'mistakesSheet: mistakes');
  listOf(objectWith({ file: expectText, label: expectText, class: expectText }))(mistakes, 'mistakesSheet: mistakes');
  expectText(data, 'mistakesSheet: data');
  const { alert, classNames } = classifier.info;
  const worst = new Map(mistakes.slice(0, MOST).map((each) => [each.file, each]));
  if (worst.size === 0) return null;
  const cells = new Map<string, SheetCell[]>();
  await explainPaths(classifier, [...worst.keys()], {
    onResult: (result) => {
      const mistake = worst.get(result.file);
      if ('error' in result || !mistake) return;
      const { file, verdict, about, picture, overlay } = result;
      const isMissed = mistake.label === alert.className && !verdict.alert;
      const isFalse = mistake.label !== alert.className && verdict.alert;
      const text = isMissed ? 'missed' : isFalse ? 'false alarm' : 'wrong';
      const says = `${verdict.class} ${(100 * verdict.probability).toFixed(1)} %`;
      cells.set(file, [
        { picture, caption: [basename(file), says], mark: { text, colour: 'wrong' } },
        { picture: overlay, caption: [`for ${about}`] },
      ]);
    },
  });
  const shown = cells.size;
  if (shown === 0) return null;
  const groups = classNames.flatMap((label) =>
    classNames.flatMap((taken): SheetGroup[] => {
      const files = mistakes.filter((each) => each.label === label && each.class === taken).map(({ file }) => file);
      const those = files.flatMap((file) => cells.get(file) ?? []);
      return those.length === 0 ? [] : [{ heading: `${label} taken for ${taken}: ${files.length}`, cells: those }];
    }),
  );
  const some = shown < mistakes.length ? `${shown} of ${mistakes.length} mistakes, the worst` : `all ${shown} mistakes`;
  const notes = [`${data}; ${classifier.name}; ${some}; bright places speak for the class that was said`];
  return { png: encodePng(contactSheet({ title: 'Mistakes', notes, groups })), shown };
}
