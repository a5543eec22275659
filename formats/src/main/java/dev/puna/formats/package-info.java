/** Readers and writers of the files that models come in; they know named tensors and metadata, and no model. */
package dev.puna.formats;
