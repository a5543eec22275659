/**
 * The stages of the module {@code data} on Apache Spark, for corpora that one machine cannot clean: passes are jobs, parts
 * are tasks, keys that must meet are shuffled. The files are those of {@link dev.puna.data.pipeline.Pipeline}, byte for
 * byte, so that either can go on where the other was stopped. Inputs and output lie in folders that all machines of the
 * cluster see under the same names.
 *
 * <p>In a JVM of its own, on the class path, with the options of {@code src/main/jvm.options}.
 */
@NullMarked
package dev.puna.data.spark;

import org.jspecify.annotations.NullMarked;
