/** Between the browser's pictures and ours. */
import { UsageError, type Picture, type RgbaPicture } from '../../../src/index.js';

/** The pixels of a frame, which is closed. @throws UsageError for what is none */
export function pixelsOf(frame: ImageData | ImageBitmap | VideoFrame): Picture {
  const rgba = rgbaOf(frame);
  const { width, height } = rgba;
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.data.length; from += 4) {
    data[to++] = rgba.data[from];
    data[to++] = rgba.data[from + 1];
    data[to++] = rgba.data[from + 2];
  }
  return { width, height, data };
}

function rgbaOf(frame: ImageData | ImageBitmap | VideoFrame): RgbaPicture {
  if (frame instanceof ImageData) return frame;
  const isVideo = typeof VideoFrame !== 'undefined' && frame instanceof VideoFrame;
  if (!isVideo && !(frame instanceof ImageBitmap))
    throw new UsageError('expects a frame of the camera (ImageData, ImageBitmap or VideoFrame), got something else');
  const [width, height] = isVideo
    ? [frame.displayWidth, frame.displayHeight]
    : [(frame as ImageBitmap).width, (frame as ImageBitmap).height];
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new UsageError('expects a browser with a 2D canvas in workers, got none');
  context.drawImage(frame, 0, 0);
  frame.close();
  return context.getImageData(0, 0, width, height);
}

/** A bitmap that can be drawn. */
export function bitmapOf({ width, height, data }: Picture): Promise<ImageBitmap> {
  const rgba = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; to += 4) {
    rgba.data[to] = data[from++];
    rgba.data[to + 1] = data[from++];
    rgba.data[to + 2] = data[from++];
    rgba.data[to + 3] = 255;
  }
  return createImageBitmap(rgba);
}
