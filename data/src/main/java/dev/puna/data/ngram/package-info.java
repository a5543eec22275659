/**
 * n-gram language models with modified Kneser–Ney smoothing (Chen, Goodman, An empirical study of smoothing techniques for
 * language modeling, 1998; Heafield and others, Scalable modified Kneser–Ney language model estimation, 2013), and the
 * perplexity buckets of CCNet (Wenzek and others, 2020). Models are read and written as ARPA files, which KenLM and SRILM
 * read too.
 */
package dev.puna.data.ngram;
