/**
 * Measures what a stage of the data pipeline reaches on one core, in megabytes (10⁶ bytes) of input for each second: behind
 * {@code puna bench data}. A first round warms up; all rounds are told.
 */
package dev.puna.data.bench;
