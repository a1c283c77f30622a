#include "gemm_software.h"

#include "array.h"
#include "chain.h"
#include "exact.h"
#include "write_back.h"

/*
 * Decoded lines that are kept: one column of B and as many rows of A as there is
 * room for, so that an element is decoded once for many products. Where k is
 * longer than a line, lines are loaded again part by part.
 */
#define WORD_LIMIT 8192
#define ROW_LIMIT 64

static uint32_t words[WORD_LIMIT];
static struct line a_lines[ROW_LIMIT], b_line;
static struct number sums[ROW_LIMIT];
static struct decoder a_decoder, b_decoder;
static struct exact exact;
static struct chain chain;

static bool valid_window(const struct operand *operand) {
    return operand->run && operand->taps && operand->major_x && operand->major_y && operand->x.dilation &&
           operand->y.dilation;
}

/* Start the accumulator with C[row, column]; `codec` is C's, NULL where there is none. */
static void begin(const struct gemm *gemm, bool in_chain, const struct codec *codec, uint32_t row, uint32_t column) {
    struct number addend, *c = 0;
    if (codec) {
        addend = number_decode(codec, matrix_code(&gemm->c, codec, row, column));
        c = &addend;
    }
    if (in_chain)
        chain_begin(&chain, c, row, column);
    else
        exact_begin(&exact, c);
}

/* Add A[row, :] * B[:, column]. `chunk`: how much of k lines hold at once. */
static struct number accumulate(const struct gemm *gemm, bool in_chain, struct line *a_line, uint32_t row,
                                uint32_t column, uint32_t chunk) {
    for (uint32_t first = 0; first < gemm->k; first += chunk) {
        uint32_t count = minimum(chunk, gemm->k - first);
        line_load(a_line, &gemm->a, &a_decoder, row, first, count);
        line_load(&b_line, &gemm->b, &b_decoder, column, first, count);
        if (in_chain)
            chain_accumulate(&chain, a_line, &b_line);
        else
            exact_accumulate(&exact, a_line, &b_line);
    }
    return in_chain ? chain_finish(&chain) : exact_finish(&exact);
}

/* Prepares the accumulator for the formats, and the decoders for the accumulator. */
COLD static enum plan_error prepare(const struct gemm *gemm, bool in_chain, const struct codec *c_codec) {
    const struct codec *a_codec = codec_find(gemm->a.format), *b_codec = codec_find(gemm->b.format);
    if (!a_codec || !b_codec)
        return ERROR_FORMAT;
    if (in_chain) {
        const struct codec *chain_codec = codec_find(mailbox.accumulator_format);
        if (!chain_codec)
            return ERROR_ACCUMULATOR;
        chain_prepare(&chain, gemm, chain_codec, a_codec, b_codec);
    } else if (!exact_prepare(&exact, a_codec, b_codec, c_codec)) {
        return ERROR_ACCUMULATOR;
    }
    decoder_prepare(&a_decoder, a_codec, in_chain ? chain.form : exact.a_form);
    decoder_prepare(&b_decoder, b_codec, in_chain ? chain.form : exact.b_form);
    return ERROR_NONE;
}

enum plan_error gemm_software(const struct gemm *gemm) {
    if (!gemm->m || !gemm->n || !gemm->k || !valid_window(&gemm->a) || !valid_window(&gemm->b))
        return ERROR_ARGUMENT;
    if (mailbox.accumulator != ACCUMULATOR_EXACT && mailbox.accumulator != ACCUMULATOR_CHAIN)
        return ERROR_ACCUMULATOR;
    bool in_chain = mailbox.accumulator == ACCUMULATOR_CHAIN, with_c = gemm->c.address != 0;
    const struct codec *c_codec = with_c ? codec_find(gemm->c.format) : 0;
    if (with_c && !c_codec)
        return ERROR_FORMAT;
    struct write_back results;
    enum plan_error error = write_back_prepare(&results, gemm);
    if (error == ERROR_NONE)
        error = prepare(gemm, in_chain, c_codec);
    if (error)
        return error;

    uint32_t chunk = minimum(gemm->k, LINE_LIMIT);
    uint32_t a_words = chunk * form_words(a_decoder.form), b_words = chunk * form_words(b_decoder.form);
    uint32_t rows = minimum(minimum(gemm->m, ROW_LIMIT), (WORD_LIMIT - b_words) / a_words);
    b_line = (struct line){.words = words};
    for (uint32_t i = 0; i < rows; i++)
        a_lines[i] = (struct line){.words = words + b_words + i * a_words};

    for (uint32_t first = 0; first < gemm->m; first += rows) {
        uint32_t count = minimum(rows, gemm->m - first);
        for (uint32_t column = 0; column < gemm->n; column++) {
            for (uint32_t i = 0; i < count; i++) {
                begin(gemm, in_chain, c_codec, first + i, column);
                sums[i] = accumulate(gemm, in_chain, &a_lines[i], first + i, column, chunk);
            }
            write_back(&results, sums, count, first, column);
        }
    }
    return ERROR_NONE;
}
