/** Generation: a cache of keys and values, sampling, and text as it is made. */
package dev.puna.inference;
