"""Makes the NumPy files of this folder: python3 make.py (NumPy 1.26 or later)."""
import numpy as np

rng = np.random.default_rng(0)
gray = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
colour = rng.integers(0, 256, (5, 3, 4, 6), dtype=np.uint8)  # channels first
labels = np.array([3, 8, 8, 3, 3])
np.save("gray.npy", gray)
np.save("colour-first.npy", colour)
np.save("floats.npy", (gray / 255).astype(np.float32))
np.save("doubles-big-endian.npy", gray.astype(">f8"))
np.save("integers.npy", gray.astype(np.int16))
np.save("booleans.npy", gray > 127)
np.save("too-large.npy", gray.astype(np.float32) * 2)
np.save("not-a-number.npy", np.where(gray == gray.max(), np.nan, gray).astype(np.float32))
np.save("fortran.npy", np.asfortranarray(gray))
np.save("objects.npy", np.array([{}, None], dtype=object))
np.savez("stored.npz", x_train=gray, y_train=labels, x_test=gray[:2], y_test=labels[:2].reshape(-1, 1))
np.savez_compressed("compressed.npz", x_train=gray, y_train=np.eye(2)[[0, 1, 1, 0, 0]])
np.savez("unlabelled.npz", x=gray)
gray.tofile("gray.bin")
colour.transpose(0, 2, 3, 1).tofile("colour.bin")  # [5,4,6,3]
