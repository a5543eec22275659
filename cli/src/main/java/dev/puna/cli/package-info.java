/**
 * One verb per stage of the way from text to a served model. A verb reads its options, calls the floors below and prints
 * what they answer; it computes nothing itself.
 *
 * <p>What every verb keeps: results go to standard output and everything else to standard error; {@code --json} prints
 * one JSON document and nothing more on standard output; the exit status is 0 when it worked, 1 when it failed and 2 when
 * something impossible was asked for; an error is one line that says what, where, and what to do. Colours and moving
 * progress bars appear on a terminal only.
 */
package dev.puna.cli;
