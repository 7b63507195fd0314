/** What goes between page and worker, and how errors come through. */
import {
  BeltnetError,
  DataError,
  DeviceError,
  DeviceLostError,
  ModelFileError,
  NoDeviceError,
  NotANumberError,
  OutOfMemoryError,
  UsageError,
} from '../../../src/index.js';
import type { EngineErrorShape, EngineEvents } from './protocol.js';
import { QuotaError } from './store.js';

export interface Call {
  readonly id: number;
  readonly room: string;
  readonly method: string;
  readonly given: readonly unknown[];
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: EngineErrorShape }
  | { readonly event: keyof EngineEvents; readonly data: unknown };

/** The most particular first: names of classes do not outlive the bundler. */
const kinds = [
  [QuotaError, 'Quota'],
  [DataError, 'DataError'],
  [ModelFileError, 'ModelFileError'],
  [NoDeviceError, 'NoDeviceError'],
  [DeviceLostError, 'DeviceLostError'],
  [OutOfMemoryError, 'OutOfMemoryError'],
  [DeviceError, 'DeviceLostError'],
  [NotANumberError, 'NotANumberError'],
  [UsageError, 'UsageError'],
] as const;

export function shapeOf(error: unknown): EngineErrorShape {
  const kind = kinds.find(([type]) => error instanceof type)?.[1] ?? 'Defect';
  const message = error instanceof Error ? error.message : String(error);
  return {
    kind,
    message: kind === 'Defect' && !(error instanceof BeltnetError) ? `a defect of beltnet: ${message}` : message,
  };
}

/** What is handed over rather than copied. */
export function transferables(value: unknown): Transferable[] {
  if (value instanceof ImageBitmap) return [value];
  if (typeof VideoFrame !== 'undefined' && value instanceof VideoFrame) return [value];
  return Array.isArray(value) ? value.flatMap(transferables) : [];
}
