/** A decoder's complaint about a picture, in words for its owner; `decode` adds the file's name and makes it a DataError. */
export class DamagedPicture extends Error {
  constructor(problem: string, wayOut = 'restore the file from its source, or remove it') {
    super(`${problem}; ${wayOut}`);
  }
}
