/**
 * A whole run in a given time: raw text on this machine, cleaned, a tokenizer, pretraining, an honest measure, models in
 * the field's formats, a report. Every stage is the one that its verb runs; here is only what puts them in a row: which
 * corpus ({@link dev.puna.speedrun.Corpus}), which model for the time ({@link dev.puna.speedrun.Planner}, with the rules
 * in {@code docs/speedrun.md}), and how far it is ({@link dev.puna.speedrun.RunDirectory}).
 *
 * <p>A stage leaves a stamp when it is done and is not done again; pretraining goes on from its last checkpoint. So a run
 * may be killed at any moment and started again.
 */
package dev.puna.speedrun;
