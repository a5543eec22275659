/**
 * Linear classifiers of text in fastText's form (Joulin, Grave, Bojanowski, Mikolov, Bag of tricks for efficient text
 * classification, 2017): language identification, "would Wikipedia cite this page", quality, adult content. Models of the
 * fastText program ({@code .bin}, {@code .ftz}) are read; what is trained here is written as {@code .bin} and read there.
 */
package dev.puna.data.classify;
