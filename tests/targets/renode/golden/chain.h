#define OPERAND_FORMATS 2
#define FORMAT_COUNT 2
#define ACCUMULATOR ACCUMULATOR_CHAIN
#define ACCUMULATOR_FORMAT 2
#define STOCHASTIC 0
#define STOCHASTIC_CHAIN 1
#define DEPTH 64
#define PANEL_A 9
#define PANEL_B 10
#define FORMATS \
    { \
        {.bits = 8, .subnormals = 1, .exponent_bits = 2, .style = STYLE_POSIT}, /* posit8 */ \
        {.bits = 16, .subnormals = 1, .style = STYLE_IEEE, .exponent_bits = 8, .fraction_bits = 7, .bias = 127}, /* e8m7 */ \
        {.bits = 16, .subnormals = 1, .style = STYLE_IEEE, .exponent_bits = 5, .fraction_bits = 10, .bias = 15}, /* e5m10 */ \
    }
