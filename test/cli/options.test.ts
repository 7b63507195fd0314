import { describe, expect, test } from 'vitest';
import {
  angle,
  factor,
  folderName,
  numberWhere,
  oneOf,
  pictureSize,
  shearNote,
  shearRange,
  wholeNumber,
} from '../../cli/terminal/options.js';

describe('values of options', () => {
  test('whole numbers are digits only and in range', () => {
    const parse = wholeNumber('--n', 1, 100);
    expect(parse('1')).toBe(1);
    expect(parse('100')).toBe(100);
    for (const text of ['', '0', '101', '-1', '1.5', '1e1', '0x10', ' 7', '7 ', 'NaN', 'Infinity']) {
      expect(() => parse(text)).toThrow(`--n: expects a whole number from 1 to 100, got '${text}'`);
    }
    expect(() => wholeNumber('--seed', 0)('-5')).toThrow(`--seed: expects a whole number of at least 0, got '-5'`);
    expect(() => wholeNumber('--seed', 0)('9007199254740993')).toThrow('from 0 to 9007199254740991');
  });

  test('numbers', () => {
    const parse = numberWhere('--lr', 'a number above 0', (value) => value > 0);
    expect(parse('1e-3')).toBe(0.001);
    expect(parse('.5')).toBe(0.5);
    for (const text of ['', '0', '-1', '1e999', 'abc', '1,5', 'NaN', '0x1']) expect(() => parse(text)).toThrow('--lr');
  });

  test('sizes are WIDTHxHEIGHT', () => {
    expect(pictureSize('--size')('320x240')).toEqual({ width: 320, height: 240 });
    for (const text of ['64', '64x', 'x64', '0x64', '64x64x3', '-64x64', '64 x 64', '16385x1']) {
      expect(() => pictureSize('--size')(text)).toThrow('--size: expects WIDTHxHEIGHT');
    }
  });

  test('factors are numbers or fractions', () => {
    const parse = factor('--rescale');
    expect(parse('1/255')).toBe(1 / 255);
    expect(parse('0.5')).toBe(0.5);
    for (const text of ['0', '1/0', '0/0', '1/2/3', '-1/255', '1/', '/255', 'x'])
      expect(() => parse(text)).toThrow('--rescale');
  });

  test('a choice names all of them', () => {
    expect(oneOf('--device', ['auto', 'webgpu', 'cpu'])('cpu')).toBe('cpu');
    expect(() => oneOf('--device', ['auto', 'webgpu', 'cpu'])('gpu')).toThrow(
      "--device: expects auto, webgpu or cpu, got 'gpu'",
    );
  });

  test('names of folders', () => {
    expect(folderName('--name')('first run.2')).toBe('first run.2');
    for (const text of ['', '.', '..', 'a/b', 'a\\b', 'a:b', 'a*', 'a\n', 'a.', 'a ']) {
      expect(() => folderName('--name')(text)).toThrow('--name');
    }
  });
});

describe('shear', () => {
  const parse = angle('--shear');

  test('bare numbers are in the unit of the profile, suffixes are converted', () => {
    expect(shearRange(parse('0.2'), 'keras-2')).toBe(0.2);
    expect(shearRange(parse('0.2'), 'keras-2.1.2')).toBe(0.2);
    expect(shearRange(parse('12deg'), 'keras-2')).toBe(12);
    expect(shearRange(parse('12deg'), 'keras-2.1.2')).toBeCloseTo(0.20944, 5);
    expect(shearRange(parse('0.2rad'), 'keras-2')).toBeCloseTo(11.4592, 4);
    expect(shearRange(parse('0.2rad'), 'keras-2.1.2')).toBe(0.2);
  });

  test('refuses what is no angle, or too large', () => {
    for (const text of ['', 'deg', '-1', '12°', '1turn', '12 deg']) expect(() => parse(text)).toThrow('--shear');
    expect(() => shearRange(parse('90deg'), 'keras-2')).toThrow('below 90 degrees, got 90deg');
    expect(() => shearRange(parse('12'), 'keras-2.1.2')).toThrow('12deg is in degrees');
  });

  test('says when a number is next to nothing', () => {
    expect(shearNote(parse('0.2'), 'keras-2')).toContain('write --shear 0.2rad (11.5 degrees)');
    expect(shearNote(parse('0.2deg'), 'keras-2')).toBeNull();
    expect(shearNote(parse('0.2'), 'keras-2.1.2')).toBeNull();
    expect(shearNote(parse('0'), 'keras-2')).toBeNull();
    expect(shearNote(parse('12'), 'keras-2')).toBeNull();
  });
});
