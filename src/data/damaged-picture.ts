/** A decoder's complaint about a picture, in words for its owner; `decode` adds the file's name and makes it a DataError. */
export class DamagedPicture extends Error {}
