package dev.puna.assembler;

/** What a processor and its operating system must offer for an instruction to run. */
public enum Feature {
    /** Every x86-64. */
    BASE,
    /** Bit counting. */
    POPCNT,
    /** Bit manipulation, first set, with lzcnt and tzcnt. */
    BMI1,
    /** Bit manipulation, second set: shifts without flags, pext, pdep. */
    BMI2,
    /** 256-bit floating point, and the operating system saves ymm registers. */
    AVX,
    /** 256-bit integers. */
    AVX2,
    /** Fused multiply-add. */
    FMA,
    /** Conversions between half and single precision. */
    F16C,
    /** int8 and int16 dot products on 128 and 256 bits in VEX encoding. */
    AVXVNNI,
    /** Galois-field bit matrices. */
    GFNI,
    /** 512-bit vectors, and the operating system saves zmm and mask registers. */
    AVX512F,
    /** AVX-512 on 128 and 256 bits. */
    AVX512VL,
    /** AVX-512 on bytes and words. */
    AVX512BW,
    /** More AVX-512 on doublewords and quadwords. */
    AVX512DQ,
    /** int8 and int16 dot products. */
    AVX512VNNI,
    /** bfloat16 dot products and conversions. */
    AVX512BF16,
    /** Half precision. */
    AVX512FP16,
    /** Byte permutations. */
    AVX512VBMI,
    /** Double shifts, compress and expand of bytes. */
    AVX512VBMI2,
    /** Bit counting in bytes and words of vectors. */
    AVX512BITALG,
    /** Tile registers; the operating system must also permit them to the process. */
    AMXTILE,
    /** bfloat16 products of tiles. */
    AMXBF16,
    /** int8 products of tiles. */
    AMXINT8
}
