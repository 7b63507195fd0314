/** What is done to a picture's file: in a worker for it, or where there is none here. */
import {
  decode,
  encodeJpeg,
  prepare,
  recordPicture,
  resize,
  type Picture,
  type Preparation,
} from '../../../src/index.js';

/** Longest side of a thumbnail, and its quality as a JPEG. */
const THUMBNAIL = 128;
const QUALITY = 80;

export interface Recorded {
  readonly width: number;
  readonly height: number;
  readonly digest: Uint8Array;
  readonly facts: Uint8Array;
  /** A JPEG. */
  readonly thumbnail: Uint8Array;
}

export interface DecodingJob {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly exif: boolean;
  /** To be prepared so; null: to be looked at for the first time. */
  readonly preparation: Preparation | null;
}

/** @throws DataError for what cannot be decoded */
export function record({ bytes, name, exif }: DecodingJob): Recorded {
  const { picture, digest, facts } = recordPicture(bytes, name, { exif });
  const { width, height } = picture;
  return {
    width,
    height,
    digest: digest.slice(),
    facts: facts.slice(),
    thumbnail: encodeJpeg(small(picture), QUALITY),
  };
}

/** The pixels as a network takes them, [height, width, 3]. @throws DataError for what cannot be decoded */
export function prepared({ bytes, name, exif, preparation }: DecodingJob): Uint8Array {
  return prepare(decode(bytes, name, { exif }), preparation as Preparation).data;
}

function small(picture: Picture): Picture {
  const { width, height } = picture;
  const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  return scale === 1 ? picture : resize(picture, { width: side(width), height: side(height) }, 'box');
}
