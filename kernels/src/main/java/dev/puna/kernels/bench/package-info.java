/**
 * How fast the kernels are: each operation with each type of weights, its answer checked before its time is taken, its
 * figure beside the peak of this machine in the same minute.
 */
package dev.puna.kernels.bench;
