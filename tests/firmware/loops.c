/* Loops over the firmware's scalar functions, so that a test makes one call for many values. */
#include "array.h"
#include "elementary.h"
#include "random.h"

int codec_is_valid(const struct format *format) {
    struct codec codec;
    return codec_prepare(&codec, format);
}

void load_all(const struct format *format, const uint32_t *codes, uint32_t *values, uint32_t count) {
    struct codec codec;
    codec_prepare(&codec, format);
    for (uint32_t i = 0; i < count; i++)
        values[i] = bits_from_float(codec_load(&codec, codec.short_cut, codes[i]));
}

void store_all(const struct format *format, uint32_t overflow, const uint32_t *values, uint32_t *codes,
               uint32_t count) {
    struct codec codec;
    codec_prepare(&codec, format);
    for (uint32_t i = 0; i < count; i++)
        codes[i] = codec_store(&codec, codec.short_cut, float_from_bits(values[i]), overflow);
}

/* The same without the short cuts. */
void store_all_any(const struct format *format, uint32_t overflow, const uint32_t *values, uint32_t *codes,
                   uint32_t count) {
    struct codec codec;
    codec_prepare(&codec, format);
    for (uint32_t i = 0; i < count; i++)
        codes[i] = codec_store_any(&codec, float_from_bits(values[i]), overflow);
}

void exp_all(const float *x, float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        y[i] = binary32_exp(x[i]);
}

void log_all(const float *x, float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        y[i] = binary32_log(x[i]);
}

void rsqrt_all(const float *x, float *y, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        y[i] = binary32_rsqrt(x[i]);
}

/* number_round of (-1)^negative * significand * 2^exponent */
void round_all(const struct format *format, uint32_t overflow, uint32_t rounding, const uint32_t *negative,
               const uint64_t *significand, const int32_t *exponent, const uint32_t *random, uint32_t *codes,
               uint32_t count) {
    struct codec codec;
    codec_prepare(&codec, format);
    for (uint32_t i = 0; i < count; i++) {
        struct number number = {.negative = negative[i], .exponent = exponent[i], .significand = significand[i]};
        codes[i] = number_round(&codec, number, overflow, rounding, random[i]);
    }
}

void random_all(uint32_t key, uint32_t rows, uint32_t columns, uint32_t k, uint32_t bits, uint32_t *words) {
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t column = 0; column < columns; column++)
            *words++ = random_word(key, row, column, k, bits);
}
