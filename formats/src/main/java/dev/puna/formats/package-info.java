/**
 * The files that models come in, as named tensors and metadata: {@link dev.puna.formats.Safetensors},
 * {@link dev.puna.formats.Gguf} and Meta's {@link dev.puna.formats.MetaCheckpoint}. A reader is a
 * {@link dev.puna.formats.TensorSource}: it maps its files and lends views, so opening a file takes no longer than
 * reading its header, and a second process shares the pages. A writer takes a list of
 * {@link dev.puna.formats.OutgoingTensor}: their sizes first, their bytes one tensor at a time, so a model larger than
 * memory passes through.
 *
 * <p>The invariants: nothing in a file is believed before it is checked against the size of the file, and no memory is
 * taken on a file's word; what is wrong is a {@link dev.puna.tensor.CorruptFileException}. A file that is written
 * appears under its name only when it is complete.
 */
package dev.puna.formats;
