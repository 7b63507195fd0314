/** Patterns and expressions of the user's that would take longer than the world will last. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/errors.js';
import { expandPaths } from '../../src/data/sources/expand-paths.node.js';
import { openSplits } from '../../src/data/sources/splits.node.js';
import { temporaryFolder } from '../data/make-pictures.js';

const groups = async (groupBy: RegExp, names: readonly string[]): Promise<string> => {
  const files = names.flatMap((name) => [`a/${name}`, `b/${name}`]);
  const folder = temporaryFolder(Object.fromEntries(files.map((name) => [name, 'x'])));
  return (await openSplits(folder, { split: 0.5, groupBy })).layout;
};

describe('--group-by', () => {
  const long = `${'a'.repeat(60)}!.png`;
  test.each([/((a+)+)$|x/, /((a|aa)+)$|!/, /(a*)*(a*)*(a*)*b|!/, /^(([^/]|a)+)+$|!/])(
    '%s takes no longer than another',
    async (expression) => {
      const answer = groups(expression, [`x${long}`, `y${long}`]).catch((error: unknown) => error);
      expect(await answer).toSatisfy((said) => typeof said === 'string' || said instanceof DataError);
    },
  );

  test('gives what JavaScript gives', async () => {
    const names = ['cam1-0.png', 'cam1-1.png', 'cam2-0.png', 'cam2-1.png', 'CAM3-0.png'];
    expect(await groups(/(cam\d)-/i, names)).toMatch(/, 3 groups kept together$/);
    expect(await groups(/-(?<shift>\d)\.png$/, names)).toMatch(/, 2 groups kept together$/);
  });

  test.each([/(a)\1/, /(?=a)a/, /(?<!a)b/, /a{2000}/])(
    '%s is refused, with what can be written',
    async (expression) => {
      await expect(groups(expression, ['a.png'])).rejects.toThrow(
        /group-by: expects an expression without back-references, look-around and repetitions above 1000, got \//,
      );
    },
  );
});

describe('a pattern', () => {
  const found = (pattern: string, names: readonly string[]): string[] => {
    const folder = temporaryFolder(Object.fromEntries(names.map((name) => [name, 'x'])));
    return expandPaths([join(folder, pattern)]).paths.map((path) => path.slice(folder.length + 1));
  };

  test('of many stars ends at once', () => {
    const name = `${'a'.repeat(200)}.png`;
    expect(() => found(`${'*a'.repeat(40)}*b`, [name])).toThrow(/no file matches/);
    expect(found(`${'*a'.repeat(40)}*`, [name])).toEqual([name]);
  });

  test('matches as in a shell', () => {
    const names = ['ab.png', 'abab.png', 'a.png', 'b.png', 'aXb.png', '.ab.png'];
    expect(found('a*b.png', names)).toEqual(['aXb.png', 'ab.png', 'abab.png']);
    expect(found('ab*ab.png', names)).toEqual(['abab.png']); // not ab.png: the two ends are different letters
    expect(found('*.p*g', names)).toEqual(['a.png', 'aXb.png', 'ab.png', 'abab.png', 'b.png']);
    expect(found('.*', names)).toEqual(['.ab.png']);
    expect(found('*a*b*', names)).toEqual(['aXb.png', 'ab.png', 'abab.png']);
    expect(found('**b.png', names)).toEqual(['aXb.png', 'ab.png', 'abab.png', 'b.png']);
  });
});
