/** Measures what a stage reaches on one core, in megabytes of input for each second. */
package dev.puna.data.bench;
