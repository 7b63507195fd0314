import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findPictures, listClassFolders } from '../../src/data/sources/folder.node.js';
import { DataError } from '../../src/errors.js';
import { temporaryFolder } from './make-pictures.js';

/** Listing looks at names only, so the files may be empty. */
function folderOf(...paths: string[]): string {
  return temporaryFolder(Object.fromEntries(paths.map((path) => [path, ''])));
}

function relative(folder: string, paths: readonly string[]): string[] {
  return paths.map((path) => path.replace(`${folder}/`, ''));
}

describe('listClassFolders', () => {
  test('sorts classes and paths by code unit, walks subfolders, takes extensions in any case', () => {
    const folder = folderOf(
      'ok/b.png',
      'ok/B.JPG',
      'ok/10.jpeg',
      'ok/2.PnG',
      'ok/sub/deep/a.png',
      'ok/sub-1.png',
      'gap/ä.png',
      'gap/z.png',
    );
    const list = listClassFolders(folder);
    expect(list.classNames).toEqual(['gap', 'ok']);
    const paths = list.files.map(({ path }) => path);
    expect(relative(folder, paths)).toEqual([
      'gap/z.png',
      'gap/ä.png',
      'ok/10.jpeg',
      'ok/2.PnG',
      'ok/B.JPG',
      'ok/b.png',
      'ok/sub-1.png',
      'ok/sub/deep/a.png',
    ]);
    expect(list.files.map(({ label }) => label)).toEqual([0, 0, 1, 1, 1, 1, 1, 1]);
    expect(list.skipped).toEqual([]);
    expect(list.notes).toEqual([]);
    expect(listClassFolders(`${folder}/`).files).toEqual(list.files);
  });

  test('names what it passes over: other formats, dot-folders, other files', () => {
    const folder = folderOf(
      'a/1.png',
      'a/2.WEBP',
      'a/notes.txt',
      'a/.cache/3.png',
      'a/._1.png',
      'b/1.png',
      '.git/x.png',
    );
    mkdirSync(`${folder}/b/folder.png`);
    const list = listClassFolders(folder);
    expect(
      relative(
        folder,
        list.files.map(({ path }) => path),
      ),
    ).toEqual(['a/1.png', 'b/1.png']);
    expect(list.skipped).toEqual([
      {
        file: `${folder}/a/2.WEBP`,
        error: `${folder}/a/2.WEBP: expects JPEG, PNG or BMP, got .webp; convert it to PNG, for example with ImageMagick: magick INPUT OUTPUT.png`,
      },
    ]);
    expect(list.notes).toEqual([
      `${folder}/.git: ignored, its name starts with a dot`,
      `${folder}/a/.cache: ignored, its name starts with a dot`,
      `${folder}/a: ignored 1 file(s) that are no pictures, such as ${folder}/a/notes.txt`,
    ]);
  });

  test('follows links, survives loops, reports broken links and pipes', () => {
    const folder = folderOf('a/1.png', 'b/1.png', 'elsewhere/far/2.png');
    symlinkSync('..', `${folder}/a/loop`);
    symlinkSync('missing.png', `${folder}/b/broken.png`);
    symlinkSync('self.png', `${folder}/b/self.png`);
    execFileSync('mkfifo', [`${folder}/b/pipe.png`]);
    const all = findPictures(`${folder}/a`);
    // Through the loop all folders are reached, each once.
    expect(relative(folder, all.paths)).toEqual(['a/1.png', 'a/loop/b/1.png', 'a/loop/elsewhere/far/2.png']);
    expect(findPictures(`${folder}/b`).skipped.map(({ error }) => error)).toEqual([
      expect.stringMatching(/broken.png: expects a picture file, got a link to nothing$/),
      expect.stringMatching(/pipe.png: expects a picture file, got a pipe$/),
      expect.stringMatching(/self.png: expects a picture file, got a link that leads to itself$/),
    ]);
  });

  test.each([
    ['no class folder', ['1.png'], /expects 2 to 256 class folders, got none/],
    ['one', ['a/1.png'], /got 1: a;/],
    ['257', Array.from({ length: 257 }, (_, i) => `${i}/1.png`), /got 257: 0, 1, 10, 100, 101;/],
    ['a class without pictures', ['a/1.png', 'b/notes.txt'], /class folder .*\/b: expects .jpg, .png or .bmp pictures/],
    ['a class of other formats', ['a/1.png', 'b/1.gif'], /found none \(1 of other formats; convert it to PNG/],
    ['a split data set', ['train/a/1.png', 'test/a/1.png'], /give one of them, for example .*\/test$/],
  ])('refuses %s', (_, paths, message) => {
    const folder = folderOf(...paths);
    expect(() => listClassFolders(folder)).toThrow(DataError);
    expect(() => listClassFolders(folder)).toThrow(message);
  });

  test('refuses a missing folder and a file', () => {
    const folder = folderOf('file.png');
    expect(() => listClassFolders(`${folder}/missing`)).toThrow(
      /missing: expects a folder .* it does not exist; check/,
    );
    expect(() => listClassFolders(`${folder}/file.png`)).toThrow(/got a file; give the folder that holds/);
  });
});
