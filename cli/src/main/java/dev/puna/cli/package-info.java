/** One verb per stage of the way from text to a served model. */
package dev.puna.cli;
