#define OPERAND_FORMATS 2
#define FORMAT_COUNT 3
#define ACCUMULATOR ACCUMULATOR_EXACT
#define ACCUMULATOR_FORMAT 0
#define STOCHASTIC 1
#define STOCHASTIC_CHAIN 0
#define DEPTH 2048
#define PANEL_A 16
#define PANEL_B 16
#define FORMATS \
    { \
        {.bits = 8, .subnormals = 1, .style = STYLE_FN, .exponent_bits = 4, .fraction_bits = 3, .bias = 7}, /* e4m3fn */ \
        {.bits = 8, .subnormals = 1, .style = STYLE_IEEE, .exponent_bits = 5, .fraction_bits = 2, .bias = 15}, /* e5m2 */ \
        {.bits = 32, .subnormals = 1, .style = STYLE_IEEE, .exponent_bits = 8, .fraction_bits = 23, .bias = 127}, /* e8m23 */ \
    }
