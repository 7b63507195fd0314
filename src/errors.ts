/**
 * The errors that beltnet throws on purpose, each with the exit code that the command line gives it.
 * Messages read: what failed, what was expected, what was received, and the way out.
 */

/** In characters: a path and what is wrong with the file fit. */
const LONGEST_MESSAGE = 2000;

/** Base of every error that is the caller's, the data's or the machine's; anything else is a defect of ours (exit 1). */
export abstract class BeltnetError extends Error {
  abstract readonly exitCode: number;
  override get name(): string {
    return this.constructor.name;
  }
}

/** An argument or an option that cannot be meant: wrong type, range or combination. */
export class UsageError extends BeltnetError {
  readonly exitCode = 2;
}

/** Shapes, types or devices of tensors that do not fit an operation: a usage error of the library's caller. */
export class ShapeError extends UsageError {}

/** Pictures, folders or labels that cannot be used. */
export class DataError extends BeltnetError {
  readonly exitCode = 3;
}

/** A model file that is missing, damaged or of another kind. */
export class ModelFileError extends BeltnetError {
  readonly exitCode = 4;

  /** Messages quote what files hold, which may be anything of any length: they stay one line that can be read. */
  constructor(message: string, options?: ErrorOptions) {
    // oxlint-disable-next-line no-control-regex
    const line = message.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\ufffd');
    super(line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE)} …` : line, options);
  }
}

/** No adapter, or none that can run the kernels. */
export class NoDeviceError extends BeltnetError {
  readonly exitCode = 5;
}

/** A device that failed while working: lost, invalid use reported by the driver, a shader that does not compile. */
export class DeviceError extends BeltnetError {
  readonly exitCode: number = 6;
}

/** The device went away (driver reset, unplugged, destroyed); its tensors are gone. */
export class DeviceLostError extends DeviceError {}

/** The device's memory, or our own budget of it, does not hold what was asked for. */
export class OutOfMemoryError extends DeviceError {}

/** WGSL that the driver refused: a defect of ours, or of the driver. */
export class ShaderError extends DeviceError {
  override readonly exitCode = 1;
}

/** The loss or a parameter became NaN or infinite. */
export class NotANumberError extends BeltnetError {
  readonly exitCode = 7;
  /** The step of a training that told it, both counted from 1. */
  readonly at: { readonly epoch: number; readonly step: number } | null;

  constructor(message: string, at: NotANumberError['at'] = null) {
    super(message);
    this.at = at;
  }
}

/** A file that cannot be written: full disk, missing rights, a run that would be overwritten. */
export class DiskError extends BeltnetError {
  readonly exitCode = 8;
}
